// The view in the address of the page, so that a link, a reload and Back bring it again. An uploaded
// photo is in no address: where it lies is kept with this tab's own history.

const KEPT = ["__theme"]; // what else may stand in the address
const SETTLE = 300; // milliseconds after which a change of the view is written

/** Regions as a text: "12,30,200,180;b9:40,50,60,70", a brush with its radius before its points. */
function textOfRegions(regions) {
  return regions.map(({ rects, points, radius }) => (points ? `b${radius}:${points}` : rects.join("+"))).join(";");
}

/** The number that a text is, in tens and not more; NaN for all else. */
function numberFrom(text) {
  return /^\s*-?[\d.]+(e-?\d+)?\s*$/i.test(text) ? Number(text) : NaN;
}

/** Regions from such a text; what is none is left out. */
function regionsFrom(text) {
  const numbers = (part) => part.split(",").map(numberFrom);
  const inFours = (rects) => rects.length > 0 && rects.every((rect) => rect.length === 4 && rect.every(Number.isFinite));
  return (text ? text.split(";") : []).flatMap((part) => {
    const [, radius, places] = part.match(/^b([\d.]+):(.+)$/) ?? [];
    if (!radius) {
      const rects = part.split("+").map(numbers);
      return inFours(rects) ? [{ rects }] : [];
    }
    const flat = numbers(places);
    if (flat.length < 2 || ![numberFrom(radius), ...flat].every(Number.isFinite)) return [];
    return [{ radius: Number(radius), points: Array.from({ length: flat.length >> 1 }, (_, i) => flat.slice(2 * i, 2 * i + 2)) }];
  });
}

/** What of B differs from A, under the names of A's with "b_" before them. */
function textsOfB({ other }) {
  const { source, model, layer, method } = other?.differs ?? {};
  return Object.fromEntries(Object.entries({ example: source?.example, model, layer, method }).filter(([, text]) => text).map(([name, text]) => [`b_${name}`, text]));
}

/** The same from an address: the `other` of a state, or null. A photo that was sent has no name: it is given. */
function differingFrom(texts, examples, sent = null) {
  const offered = examples.some(({ name }) => name === texts.b_example);
  const source = sent ?? (offered ? { example: texts.b_example } : null);
  const all = { source, model: texts.b_model, layer: texts.b_layer, method: texts.b_method };
  const differs = Object.fromEntries(Object.entries(all).filter(([, value]) => value));
  return Object.keys(differs).length ? { differs, opened: null } : null;
}

/** Everything that is seen, as texts by their names; `example` only where there is one. */
function viewOf({ state }) {
  const { scene, layer, method, target, versus, strength, tool, fill, keep } = state;
  const settings = isPixel(method) ? settingsText(state, method) : "";
  const asked = { model: scene.model.name, layer, method, settings, framing: scene.framing };
  const rivals = rivalNamesTold(state);
  const labels = { target: labelText(scene, target), versus: Array.isArray(rivals) ? rivals.join(";") : rivals, ...(versus !== null && strength !== 1 ? { strength } : {}) };
  const hidden = textOfRegions(regionsNow(state));
  const divider = state.view === "split" ? { split: state.split } : {};
  const view = { example: scene.example, ...asked, ...labels, ...lookOf(state), ...divider, ...textsOfB(state), tool, ...(hidden ? { hidden, fill, keep } : {}) };
  return Object.fromEntries(Object.entries(view).filter(([, value]) => value !== null && value !== "").map(([name, value]) => [name, String(value)]));
}

const SWITCHED = { __proto__: null, true: true, yes: true, 1: true, false: false, no: false, 0: false };

/** The value that a text of an address means; undefined where the option has no such value. */
function valueFrom({ default: usual, values, low, high }, text) {
  if (typeof usual === "boolean") return SWITCHED[text];
  const number = numberFrom(text);
  if (high !== undefined) return number >= low && number <= high ? number : undefined;
  return values.some(({ name }) => name === text) ? text : undefined;
}

/** The settings that a text has, "steps=32,baseline=blur"; what the method does not have is left out. */
function settingsFrom(method, text = "") {
  const given = Object.fromEntries(text.split(",").map((pair) => pair.split("=").map((part) => part.trim())));
  return Object.fromEntries(methodOf(method).settings.flatMap((setting) => {
    const value = given[setting.name] === undefined ? undefined : valueFrom(setting, given[setting.name]);
    return value === undefined ? [] : [[setting.name, value]];
  }));
}

/** What an address asks for: {question, wanted}. Of the question the server checks every value. */
function askedBy(given) {
  const texts = { target: given.label, ...given }; // as links of earlier versions called it
  if (texts.view === "heat") Object.assign(texts, { view: "overlay", look: "notebook", opacity: "1" }); // there was one
  if (valueFrom(OPTIONS.look.colormap, texts.colormap) && !texts.look) texts.look = "notebook"; // before there was another
  const pick = (names) => Object.fromEntries(names.filter((name) => texts[name]).map((name) => [name, texts[name]]));
  const read = (option) => [option.name, texts[option.name] === undefined ? undefined : valueFrom(option, texts[option.name])];
  const divider = { name: "split", low: 0, high: 1 };
  const options = [...Object.values(OPTIONS.look), divider, OPTIONS.fill, OPTIONS.keep];
  const look = Object.fromEntries(options.map(read).filter(([, value]) => value !== undefined));
  const tool = ["read", "box", "brush", "cell", "frame"].includes(texts.tool) ? { tool: texts.tool } : {};
  return {
    question: pick(["model", "layer", "method", "settings", "target", "versus", "strength", "framing"]),
    wanted: { ...look, ...tool, hidden: regionsFrom(texts.hidden) },
  };
}

/** The address that opens this very view; only for an example, never for an upload. */
function linkOf(viewer) {
  const { example, ...all } = viewOf(viewer);
  // Of two, only what is an example, too, is in a link.
  const isSent = viewer.state.other?.differs.source?.path;
  const view = Object.fromEntries(Object.entries(all).filter(([name]) => !isSent || !name.startsWith("b_")));
  const kept = [...new URLSearchParams(location.search)].filter(([name]) => KEPT.includes(name));
  const query = new URLSearchParams([...kept, ...(example ? Object.entries({ example, ...view }) : [])]);
  return `${location.origin}${location.pathname}${query.size ? `?${query}` : ""}`;
}

/** Whether two views of a photo ask the same, and differ only in what is painted or hidden. */
function asksSame(one, other) {
  const painted = new Set([...Object.keys(OPTIONS.look), "split", "tool", "hidden", "fill", "keep"]);
  const asked = (view) => JSON.stringify(Object.entries(view).filter(([name]) => !painted.has(name)).sort());
  return asked(one) === asked(other);
}

/** What keeps the address true, and brings a view again. */
function addressOf(viewer) {
  const { state } = viewer;
  let written = "";
  let last = null; // the entry that was written
  let restoring = false; // it is the way Back that changes what is seen
  let timer;
  let pending = null; // what the timer will write

  function flush() {
    clearTimeout(timer);
    pending?.();
    pending = null;
  }

  /** Whether an entry shows another part hidden than the one before it, and is a person's step. */
  const isHiding = ({ source, view }) =>
    !restoring && last && JSON.stringify(source) === JSON.stringify(last.source) && view.model === last.view.model
    && view.framing === last.view.framing && view.hidden !== last.view.hidden;

  /**
   * Write the view into the tab's history: as a new entry after another question, or where another part is
   * hidden; else in place.
   */
  function write(isNew = false) {
    if (!state.scene || !state.source || isLive(viewer)) return; // a reload starts no camera
    const entry = { source: state.source, sent: state.other?.differs.source, view: viewOf(viewer) };
    const text = JSON.stringify(entry);
    if (text === written) return;
    const isStep = isNew || isHiding(entry);
    [written, last] = [text, entry];
    const link = linkOf(viewer);
    if (isStep) {
      flush(); // of the view that is left
      history.pushState(entry, "", link);
      return;
    }
    clearTimeout(timer);
    pending = () => history.replaceState(entry, "", link);
    timer = setTimeout(flush, SETTLE);
  }

  /** Whether a view is of the scene that is shown. */
  const isHere = (source, view) =>
    state.scene && !state.frame && JSON.stringify(source) === JSON.stringify(state.source) && asksSame(view, viewOf(viewer));

  /** What of a view is painted or hidden, without a question for another scene. */
  function showAgain({ hidden, ...look }) {
    const at = state.history.findIndex((regions) => textOfRegions(regions) === textOfRegions(hidden));
    viewer.begin(); // whatever was asked before is void
    viewer.set({ ...look, ...(at < 0 ? historyOf(hidden) : { at }), draft: null });
    viewer.askBack();
    return true;
  }

  /**
   * Bring the view of an entry of the history, or of a link; false where there is none. A link without an example,
   * or with one that is not here, is one to the example with which the page opens.
   */
  async function restore(entry, opening = null) {
    const given = entry?.view ?? Object.fromEntries(new URLSearchParams(location.search));
    const offered = state.examples.some(({ name }) => name === given.example);
    const isLink = Object.keys(given).some((name) => !KEPT.includes(name));
    const example = offered ? given.example : isLink && opening;
    const source = entry?.source ?? (example ? { example } : null);
    if (!source) return false;
    const { question, wanted } = askedBy(given);
    clearTimeout(timer);
    pending = null;
    const ofPixels = isPixel(question.method) ? { pixel: { method: question.method, settings: settingsFrom(question.method, question.settings) } } : {};
    const other = differingFrom(given, state.examples, entry?.sent);
    restoring = true;
    try {
      if (!ofPixels.pixel && isHere(source, given)) return showAgain(wanted);
      if (await viewer.open({ source, ...question }, { wanted: { ...wanted, ...ofPixels, other }, isNew: false })) {
        if (opening && given.example && !offered) viewer.say(`There is no example "${given.example}" here: this is ${opening}.`);
        return true;
      }
    } finally {
      restoring = false;
    }
    written = ""; // what is still shown is what stands in the address
    write();
    return false;
  }

  window.addEventListener("pagehide", flush);
  window.addEventListener("popstate", ({ state: entry }) => restore(entry));
  return { write, restore };
}
