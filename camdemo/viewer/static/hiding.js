// Asking back: a person hides a part of the photo, and the model answers again. The regions are a
// history of lists, so that undo and redo are steps in it.

/** The regions that are hidden now. */
function regionsNow({ history, at }) {
  return history[at];
}

/** A history that begins with regions that are hidden already. */
function historyOf(regions) {
  return regions.length ? { history: [[], regions], at: 1 } : { history: [[]], at: 0 };
}

/** A list of regions in place of the present one. */
function changeRegions(viewer, regions) {
  if (!canBeAsked(viewer)) return;
  const { state } = viewer;
  const history = [...state.history.slice(0, state.at + 1), regions.map(roundedRegion)];
  viewer.set({ history, at: history.length - 1, draft: null });
  viewer.askBack();
}

/** Undo (-1) or redo (1). */
function stepHistory(viewer, by) {
  const { state } = viewer;
  const at = within(state.at + by, state.history.length - 1);
  if (at === state.at) return;
  viewer.set({ at });
  viewer.askBack();
}

/** Hide a cell of the map, or show it again. */
function toggleCell(viewer, cell) {
  const { state } = viewer;
  const map = viewer.mapOf(state.layer, state.target);
  if (!map) return;
  const region = roundedRegion({ rects: [rectOf(map, state.scene.box, cell, state.photo)] });
  const regions = regionsNow(state);
  const others = regions.filter(({ rects }) => String(rects) !== String(region.rects));
  changeRegions(viewer, others.length < regions.length ? others : [...regions, region]);
}

/** How much the button "Hide the hottest" hides: the threshold, or 20 % without one. */
const hottestShare = ({ strongest }) => (strongest < 100 ? strongest : 20);

const COARSE = 28; // cells a side of what is hidden of a map of pixels

/** A map with at most so many cells a side: means of areas, where it has more than a layer's. */
function coarse(map) {
  if (map.height <= 112) return map;
  const values = new Float32Array(COARSE * COARSE);
  const counts = new Float32Array(COARSE * COARSE);
  map.values.forEach((value, i) => {
    const row = Math.floor((Math.floor(i / map.width) * COARSE) / map.height);
    const cell = row * COARSE + Math.floor(((i % map.width) * COARSE) / map.width);
    values[cell] += value;
    counts[cell]++;
  });
  return { height: COARSE, width: COARSE, values: values.map((sum, cell) => sum / counts[cell]) };
}

/** As many percent of the cells on the photo, those with the highest values, as one region; null for none. */
function strongestRegion({ state, mapOf }, percent, { least = 0, isMeant = () => true } = {}) {
  const whole = mapOf(state.layer, state.target);
  if (!whole) return null;
  const map = coarse(whole);
  const weights = weightsOf(map, state.scene);
  const onPhoto = Array.from(map.values.keys()).filter((cell) => weights[cell] > 0);
  const order = onPhoto.sort((a, b) => map.values[b] - map.values[a]);
  const count = Math.max(least, Math.round((order.length * percent) / 100));
  const cells = order.slice(0, count).filter((cell) => isMeant(map.values[cell]));
  const rects = cells.map((cell) =>
    rectOf(map, state.scene.box, { row: Math.floor(cell / map.width), column: cell % map.width }, state.photo));
  return rects.length ? { rects } : null;
}

/** The cells with the most evidence: the map's own claim, put to the test. */
function hottestRegion(viewer) {
  return strongestRegion(viewer, hottestShare(viewer.state), { least: 1, isMeant: (value) => value > 0 });
}

function hideHottest(viewer) {
  const region = hottestRegion(viewer);
  if (region) changeRegions(viewer, [...regionsNow(viewer.state), region]);
  else viewer.say("Nothing speaks for this label at this layer.", "hide");
}

/** An edge on the canvas as a whole pixel of it and, where it is enlarged, of the photo: as Python's Box has it. */
function snapped(edge, size, whole) {
  const step = Math.max(1, size / whole);
  return within(Math.round(edge / step) * step, size);
}

/** The tools with which a region is drawn: what a pointer does that goes down, moves and goes up. */
function hidingTools(viewer) {
  const { state, canvas } = viewer;
  const commit = (region) => changeRegions(viewer, [...regionsNow(state), region]);
  return {
    box: {
      down: ({ x, y }) => ({ x, y }),
      move: (start, { x, y }) => {
        const [width, height] = state.scene.size;
        const [left, right] = [Math.min(start.x, x), Math.max(start.x, x)].map((edge) => snapped(edge, canvas.width, width));
        const [top, bottom] = [Math.min(start.y, y), Math.max(start.y, y)].map((edge) => snapped(edge, canvas.height, height));
        viewer.set({ draft: { rects: [[left, top, right, bottom]] }, cell: null });
      },
      up: () => {
        const [left, top, right, bottom] = state.draft?.rects[0] ?? [0, 0, 0, 0];
        if (Math.min(right - left, bottom - top) >= 2) commit(state.draft);
        else viewer.set({ draft: null }); // a click, which is no region
      },
    },
    brush: {
      down: ({ x, y }) => {
        const [left, , right] = state.scene.box;
        viewer.set({ draft: { points: [[x, y]], radius: (right - left) / 20 }, cell: null });
        return {};
      },
      move: (_start, { x, y }) => {
        const { points, radius } = state.draft;
        const [lastX, lastY] = points.at(-1);
        if (Math.hypot(x - lastX, y - lastY) < radius / 8) return; // the address need not hold them all
        points.push([x, y]);
        viewer.set({});
      },
      up: () => commit(state.draft),
    },
    cell: {
      down: (position) => {
        const cell = cellAt(viewer, position);
        if (cell) toggleCell(viewer, cell);
        return null;
      },
    },
  };
}

/** The questions to the server. Only the newest counts; the yardstick follows the answer. */
function askingBack(viewer) {
  const { state, host } = viewer;
  const begin = onlyTheLast();
  return async () => {
    const isStale = begin();
    const { scene } = state;
    const stale = () => isStale() || state.scene !== scene;
    const regions = scene && host.hide ? regionsNow(state) : [];
    const mask = regions.length ? maskOf(regions, scene) : null;
    if (!mask) {
      viewer.set({ answer: null });
      if (regions.length) viewer.say("The model does not see this part: nothing changes.", "canvas");
      return;
    }
    viewer.say("");
    const question = { id: scene.id, mask, fill: state.fill, keep: state.keep };
    viewer.wait(1);
    try {
      for (const [name, ask] of [["now", host.hide], ["elsewhere", host.hideElsewhere]]) {
        const answer = await ask(question);
        if (stale()) return;
        if (!answer.probabilities) throw new Error(answer.error);
        const floats = (text) => new Float32Array(bytesOf(text).buffer);
        const more = name === "now"
          ? { first: answer.first, keep: question.keep }
          : { ...state.answer, errors: floats(answer.errors), overlap: answer.overlap };
        viewer.set({ answer: { ...more, [name]: floats(answer.probabilities) } });
        if (name === "now") showResult(viewer); // the yardstick closes nothing that was opened since
      }
    } catch (error) {
      viewer.set({ answer: null });
      viewer.say(error.message, "hide");
    } finally {
      viewer.wait(-1);
    }
  };
}

/** The next action in words. `part` is what of the photo speaks for the label at first sight. */
const HINTS = {
  read: () => "Point at the picture: what does each cell of the map say?",
  box: (label, part) => `Drag a box over ${part}: does "${label}" survive?`,
  brush: (label, part) => `Paint over ${part}: does "${label}" survive?`,
  cell: (label) => `Click a cell of the map: does "${label}" survive without it?`,
  frame: () => "Drag the frame or its grips: what does the model see there? Double-click to leave a frame of your own.",
};

/** What can be done while the camera runs; `label` is the one that the map stays with. */
function describeLive(label) {
  const freeze = "Press space to freeze this picture: then every layer can be looked at, and parts of it hidden.";
  return label === null ? freeze : `The map stays with "${label}" until you click it again. ${freeze}`;
}

/** The answer in a few sentences; before there is one, how to get it. */
function describeAnswer(state) {
  const { answer, scene, target, tool, examples, pinned } = state;
  const { label, probability } = labelOf(scene, target);
  if (isLive({ state })) return describeLive(pinned === target ? label : null);
  if (!answer) {
    const isFirst = target === scene.labels[0].index;
    const part = (isFirst && examples.find(({ name }) => name === scene.example)?.part) || "what glows";
    return HINTS[tool](label, part);
  }
  const [after, elsewhere, error] = [answer.now, answer.elsewhere, answer.errors].map((values) => values?.[target]);
  const { keep, overlap } = answer;
  const sentences = describeHiding({ label, keep, before: probability, after, elsewhere, error, overlap });
  if (answer.first.index !== scene.labels[0].index) {
    sentences.push(`Now first: ${answer.first.label} ${percentText(answer.first.probability)}.`);
  }
  return sentences.join(" ").replaceAll(" %", "\u00a0%"); // a number stays with its sign
}

/** Show the whole photo again. */
function clearRegions(viewer) {
  if (!regionsNow(viewer.state).length) return;
  viewer.state.keep = false;
  changeRegions(viewer, []);
}

/** What the buttons do. */
function hidingActions(viewer) {
  return {
    hottest: () => hideHottest(viewer),
    undo: () => stepHistory(viewer, -1),
    redo: () => stepHistory(viewer, 1),
    clear: () => clearRegions(viewer),
  };
}

/** The controls of this part show the state. */
function drawHidingControls({ root, state, find, host }) {
  if (!host.hide) return;
  const act = state.keep ? "Keep only" : "Hide";
  find("[data-action=hottest]").textContent = `${act} the hottest ${hottestShare(state)} %`;
  find("[data-action=hottest]").title = "Key h";
  const disable = (action, isOff) => {
    for (const button of root.querySelectorAll(`[data-action=${action}]`)) button.disabled = isOff;
  };
  disable("undo", state.at === 0);
  disable("redo", state.at === state.history.length - 1);
  disable("clear", regionsNow(state).length === 0);
}
