// The camera in the canvas. A frame is sent, and painted with its own map when the answer comes: picture
// and map agree, a moment late. Nothing is mirrored, for the map lies on the pixels that the model saw.
// Only the frame that is frozen becomes a photo; of the others nothing stays, here or on the server.

const SENT = 256; // pixels of the shorter side of a frame that is sent: networks are given 224 to 260
const SHOWN = 640; // pixels of the longer side of the picture while it moves
const AT_ONCE = 2; // frames under way
const FASTEST = 50; // milliseconds between two of them: enough for the eye, and the rest is for others
const COUNTED = 2000; // milliseconds over which the frames are counted
const CALM = 500; // milliseconds for which the number stays, to be read

const CAMERA = { video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } } };
const NO_CAMERA = {
  NotAllowedError: "The camera was refused. Allow it for this page (at the address), and press Camera again.",
  NotFoundError: "There is no camera here. Upload a photo instead.",
  NotReadableError: "The camera does not start: does another program use it?",
};
const NOT_FRAMED = "The page around this one refuses the camera. Open this one in a tab of its own.";
const NOT_SECURE = "Browsers give a camera only to pages under https or on localhost. Upload a photo instead.";

/** What all frames have in common, and what of a scene there is none. */
const FRAME = {
  ...{ id: "", original: "", name: "Camera", example: "", versus: [], strength: 1, exact: [], complete: true },
  ...{ facts: "", versions: "", code: { imports: [], photo: '"camera.jpg"' }, wanted: {} },
};

/** The stream of the camera; of a phone the one at its back. */
async function cameraStream() {
  if (!navigator.mediaDevices?.getUserMedia) throw new Error(NOT_SECURE);
  try {
    return await navigator.mediaDevices.getUserMedia(CAMERA);
  } catch ({ name, message }) {
    const isFramed = name === "NotAllowedError" && document.featurePolicy?.allowsFeature("camera") === false;
    throw new Error(isFramed ? NOT_FRAMED : (NO_CAMERA[name] ?? `The camera does not start: ${message}`));
  }
}

/** Switch the camera off, its light too. */
function free(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** An image in another size. */
function copyOf(image, width, height, factor = 1) {
  const canvas = make("canvas", { width: Math.round(width * factor) || 1, height: Math.round(height * factor) || 1 });
  canvas.getContext("2d", { willReadFrequently: true }).drawImage(image, 0, 0, canvas.width, canvas.height);
  return canvas;
}

/** A frame of a video, its copy that is shown, and the one that is sent. */
function frameOf(video) {
  const { videoWidth: width, videoHeight: height } = video;
  const [shorter, longer] = [Math.min(width, height), Math.max(width, height)];
  const full = copyOf(video, width, height);
  const photo = copyOf(full, width, height, SHOWN / longer);
  const sent = copyOf(photo, width, height, Math.min(SENT / shorter, LONGEST_FRAME / longer));
  return { full, photo, sent };
}

/** Labels in an order in which they don't jump: the first one is first, the others stay in their places. */
function labelsInPlace(before, [first, ...others]) {
  const placed = [first, ...others.map(() => null)];
  const placeOf = ({ index }) => before.findIndex((label) => label.index === index);
  const isFree = (place) => placed[place] === null;
  const moved = others.filter((label) => {
    const stays = isFree(placeOf(label));
    if (stays) placed[placeOf(label)] = label;
    return !stays;
  });
  return placed.map((label) => label ?? moved.shift());
}

/** Other labels in the same rows, so that a press on one is not lost. */
function renameLabels(viewer) {
  const { labels } = viewer.state.scene;
  const rows = viewer.root.querySelectorAll(".cam-labels button");
  if (rows.length !== labels.length) return buildLabels(viewer);
  labels.forEach(({ index, label }, place) => {
    rows[place].dataset.target = rows[place].querySelector("canvas").dataset.target = index;
    rows[place].querySelector(".cam-name").textContent = label;
  });
}

/** What starts, follows, freezes and stops the camera. */
function liveOf(viewer) {
  const { state, host, canvas, find } = viewer;
  let run = null; // what runs now

  /**
   * Start the camera, or ask the one that runs another question; true once a frame of it is shown.
   * `isStale` tells whether something else has been asked for meanwhile.
   */
  async function start({ model, framing }, isStale) {
    if (run) return Object.assign(run, { model, framing }) === run;
    viewer.doing("Waiting for the camera");
    const stream = await cameraStream();
    if (isStale()) {
      free(stream);
      return false;
    }
    const video = make("video", { srcObject: stream, muted: true, playsInline: true });
    run = { stream, video, model, framing, before: { ...state }, sent: 0, shown: 0, next: 0, took: 0, times: [] };
    const mine = run;
    try {
      stream.getVideoTracks()[0].addEventListener("ended", () => fail(mine, "The camera was switched off."));
      await video.play();
      viewer.doing(state.server === "starting" ? "Starting the model, about 5 s" : "");
      await step(mine);
    } finally {
      if (run === mine && !mine.shown) end();
    }
    if (run !== mine) return false;
    find("[data-action=freeze]").focus({ preventScroll: true });
    for (let i = 0; i < AT_ONCE; i++) follow(mine);
    return true;
  }

  async function follow(mine) {
    try {
      while (run === mine) await step(mine);
    } catch (error) {
      await fail(mine, error.message);
    }
  }

  /** Send a frame when its time has come, and show it unless a newer one was faster. */
  async function step(mine) {
    do {
      const now = performance.now();
      const at = Math.max(now, mine.next);
      mine.next = at + Math.max(FASTEST, mine.took / AT_ONCE);
      await pause(at - now);
    } while (run === mine && (mine.held || document.hidden));
    if (run !== mine) return;
    const { full, photo, sent } = frameOf(mine.video);
    const address = sent.toDataURL("image/jpeg", 0.8);
    const number = ++mine.sent;
    const start = performance.now();
    const answer = await host.live({ ...questionNow(mine), frame: address.slice(address.indexOf(",") + 1) });
    mine.took = performance.now() - start;
    if (run !== mine) return;
    if (answer.error !== undefined) throw new Error(answer.error);
    if (number < mine.shown || mine.held) return;
    Object.assign(mine, { shown: number, full });
    count(mine);
    await show(answer, photo, sent, address);
  }

  /** What is asked of the next frame: what is chosen now. */
  function questionNow({ model, framing }) {
    const { scene, layer, method, pinned } = state;
    const isKnown = scene && (!model || scene.model.name === model);
    const speaks = isLive(viewer) && speakAlike(state.models, model, scene.model);
    const target = pinned === null || !speaks ? null : (labelOf(scene, pinned)?.label ?? pinned);
    return { model, framing, layer: isKnown ? layer : null, method, target };
  }

  /** Put a frame and its answer into the viewer. */
  async function show(answer, photo, sent, address) {
    const [across, down] = [photo.width / sent.width, photo.height / sent.height];
    const box = answer.box.map((edge, i) => Math.round(edge * (i % 2 ? down : across)));
    const size = [photo.width, photo.height];
    const layers = answer.layers ?? state.scene.layers;
    const isNext = isLive(viewer) && answer.model.name === state.scene.model.name;
    const same = isLive(viewer) ? state.scene.photo : address; // that of the first frame stands for all
    const labels = isNext ? labelsInPlace(state.scene.labels, answer.labels) : answer.labels;
    const scene = { ...FRAME, ...answer, layers, labels, box, natural_box: box, size, photo: same };
    state.tool = "read"; // the others ask what only a photo can be asked
    if (!isNext) return viewer.show(scene, { source: { camera: true }, decoded: photo, isNew: false });
    fitCanvas(canvas, photo);
    const target = labelOf(scene, state.pinned)?.index ?? answer.target;
    Object.assign(state, { scene, photo, target, known: knownOf(scene), revision: state.revision + 1 });
    renameLabels(viewer);
    return viewer.set({});
  }

  /** How many frames a second were shown of late. */
  function count(mine) {
    const now = performance.now();
    mine.times = [...mine.times.filter((time) => time > now - COUNTED), now];
    if (mine.times.length < 2 || now < mine.counted + CALM) return;
    mine.counted = now;
    mine.rate = Math.round((1000 * (mine.times.length - 1)) / (now - mine.times[0]));
  }

  /** Make a photo of the frame that is shown, and explain it in full. */
  async function freeze() {
    const mine = run;
    if (!mine?.full || mine.held) return;
    mine.held = true;
    const photo = await new Promise((done) => mine.full.toBlob(done, "image/jpeg", 0.95));
    const { target } = questionNow(mine);
    await openFile(viewer, new File([photo], "camera.jpg", { type: photo.type }), "canvas", { target });
    mine.held = false; // where that failed the camera goes on
  }

  /** Free the camera; what is shown stays until something else is. */
  function end() {
    if (!run) return;
    free(run.stream);
    state.tool = run.before.tool;
    run = null;
  }

  /** Free the camera, and show again what was there before. */
  async function stop() {
    if (!run) return;
    const { scene, known, source, pinned, target, versus, history, at, keep, answer } = run.before;
    const wasShown = isLive(viewer);
    end();
    if (!wasShown) return;
    state.source = source;
    await viewer.show(scene, { known, source, isNew: false });
    if (scene) viewer.set({ pinned, target, versus, history, at, keep, answer });
  }

  async function fail(mine, text) {
    if (run !== mine) return;
    await stop();
    viewer.say(text);
  }

  /** The controls show whether it runs; what only a photo can be asked waits. */
  function draw() {
    const isOn = isLive(viewer);
    const bar = find(".cam-live");
    if (!isOn && bar.contains(document.activeElement)) canvas.focus({ preventScroll: true });
    bar.hidden = !isOn;
    viewer.write(".cam-rate", run?.rate ? `Live · ${run.rate} a second` : "Live");
    for (const part of viewer.root.querySelectorAll(".cam-tools, .cam-history, .cam-asking, .cam-ask fieldset")) part.inert = isOn;
    for (const button of viewer.root.querySelectorAll("[data-menu=save]")) button.disabled = isOn;
    find(".cam-title").ariaLive = isOn ? "off" : "polite"; // it changes at every frame
  }

  window.addEventListener("pagehide", end);
  return { start, freeze, end, stop, draw };
}
