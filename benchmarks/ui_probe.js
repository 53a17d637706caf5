// Times what a person waits for, from inside the page: from a press to the picture on the screen.
//
//   probe.arm("pointerdown", "#viewer")     the next event of that kind starts the clock
//   await probe.done("frame")               milliseconds until that mark was on the screen
//
// The clock starts at the event's own timestamp, which the browser takes when the press reaches
// it: if the page was too busy to handle it at once, that counts. It stops in the first task
// after the frame, so the page's share of painting counts, too.

(() => {
  const PATIENCE = 20000;
  let pressed = null; // timestamp of the press
  let marks = {}; // name -> {promise, resolve}
  let before = {}; // what the page showed when the probe was armed
  let stop = () => {};

  function mark(name) {
    if (!marks[name]) {
      let resolve;
      const promise = new Promise((done) => { resolve = done; });
      marks[name] = { promise, resolve, reached: false };
    }
    return marks[name];
  }

  /** The picture is in the document: it is on the screen after the next frame. */
  function reach(name) {
    const { resolve, reached } = mark(name);
    if (reached) return;
    marks[name].reached = true;
    const start = pressed;
    requestAnimationFrame(() => {
      const channel = new MessageChannel(); // its message comes right after the frame
      channel.port1.onmessage = () => resolve(performance.now() - start);
      channel.port2.postMessage(null);
    });
  }

  // ---- our page ----

  const title = () => document.querySelector("#viewer .cam-title").textContent;
  const busy = () => !document.querySelector("#viewer .cam-busy").hidden;
  const hasHeat = () => !document.querySelector("#viewer .cam-legend").hidden;

  function lookAtOurs(records) {
    const painted = records.some((record) => record.attributeName === "data-frame");
    if (painted) reach("frame");
    const asked = document.querySelector("#viewer .cam-answered");
    if (painted && asked) reach("answer");
    if (painted && asked?.textContent.includes("on average")) reach("yardstick");
    if (painted && title() !== before.title && hasHeat()) reach("heat map");
    if (!mark("heat map").reached) return;
    // The page is busy until the maps of the other layers, too, are here and painted.
    if (!busy()) reach("all maps");
  }

  // ---- the plain page ----

  const image = () => document.querySelector("#picture img[src]");

  async function lookAtPlain() {
    const armed = marks;
    const shown = image();
    if (!shown || shown.src === before.address) return;
    try {
      await shown.decode();
    } catch {
      return; // it was replaced meanwhile, of which the observer tells
    }
    if (armed !== marks) return; // decoded after another press
    reach("frame");
    reach("heat map");
  }

  /** Wait for the next event of the given kind. */
  function arm(kind) {
    stop();
    pressed = null;
    marks = {};
    const ours = document.querySelector("#viewer");
    before = ours ? { title: title() } : { address: image()?.src };
    const observer = new MutationObserver((records) => {
      if (pressed === null) return;
      if (ours) lookAtOurs(records);
      else lookAtPlain();
    });
    observer.observe(ours ?? document.querySelector("#picture"), {
      subtree: true, childList: !ours, attributeFilter: ours ? ["data-frame", "hidden"] : ["src"],
    });
    const press = (event) => { pressed ??= event.timeStamp; };
    window.addEventListener(kind, press, { capture: true, once: true });
    stop = () => {
      observer.disconnect();
      window.removeEventListener(kind, press, { capture: true });
    };
  }

  async function done(name) {
    let timer;
    const late = new Promise((_, reject) => {
      const text = pressed === null ? "there was no press" : `no ${name} after the press`;
      timer = setTimeout(() => reject(new Error(text)), PATIENCE);
    });
    try {
      return await Promise.race([mark(name).promise, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  // The photo that our canvas shows comes inside the answer, as an address that is the photo.
  let inside = 0; // characters of all such addresses so far
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLImageElement.prototype, "src");
  Object.defineProperty(HTMLImageElement.prototype, "src", {
    get,
    set(address) {
      if (String(address).startsWith("data:image/")) inside += address.length;
      set.call(this, address);
    },
  });

  window.probe = { arm, done, photoInside: () => inside };
})();
