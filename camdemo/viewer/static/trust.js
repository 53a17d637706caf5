// Trust: what a map can be put to, each on one press. The answers grow while they are watched; what was
// found stays with the map that it was found for, so that it is there again when that map is.

const TESTS = ["scores", "curves", "randomised", "completeness"];

/** What is asked: the map that is shown. */
function shownMap(state) {
  const { scene, layer, method, target } = state;
  const ofPixels = isPixel(method) ? { layer: INPUT, settings: settingsOf(state, method) } : {};
  return { id: scene.id, layer, method, target, ...ofPixels, ...comparedIn(state) };
}

/** The tests of a viewer's maps. */
function trustOf(viewer) {
  const { state, host, find, root } = viewer;
  const marks = { key: "", notes: new Map() }; // what is known of each method here, computed once
  const tried = new Set(); // what was asked unasked, or was pressed: it is not begun again by itself
  let sorted = false; // whether the strip and the methods stand in the order of their scores

  /** The answers of a scene by their keys; they go with it. Of a file they came with it. */
  function foundOf({ known, scene }) {
    if (!known.trials) {
      known.trials = new Map(Object.entries(scene.tested ?? {}).map(([kind, answer]) => [keyOf(kind), answer]));
      known.scores = new Map([...known.trials.values()].flatMap(({ scores }) => (scores ? [[keyOfLabel(), scores]] : [])));
    }
    return known.trials;
  }

  const keyOfLabel = () => [state.scene.id, state.target, rivalsOf(state), state.strength].join("|");

  /** Which map a test is about. */
  const keyOf = (kind) => [kind, keyOfLabel(), state.layer, state.method, settingsText(state, state.method), ...(kind === "curves" ? [state.fill] : [])].join("|");

  const resultOf = (kind) => (state.scene ? foundOf(state).get(keyOf(kind)) : undefined);

  /** Ask for a test until the answer is whole, or another map is looked at, or it is cancelled. */
  async function run(kind, isPressed = true) {
    if (!canBeAsked(viewer)) return;
    const [key, found, { known }] = [keyOf(kind), foundOf(state), state];
    const question = { ...shownMap(state), fill: state.fill };
    found.set(key, { pending: true });
    tried.add(key);
    const isWanted = () => found.get(key)?.pending && state.known === known && keyOf(kind) === key;
    viewer.wait(1);
    draw();
    if (isPressed) showTest(kind);
    try {
      for (let after = 0; isWanted(); ) {
        const answer = await host[kind]({ ...question, after });
        if (answer.error !== undefined) throw new Error(answer.error);
        if (!isWanted()) break;
        after = answer.version;
        found.set(key, { ...answer, pending: answer.state === "running" });
        if (answer.scores) known.scores.set(keyOfLabel(), answer.scores);
        marks.key = "";
        viewer.set({});
        if (isPressed) showTest(kind);
      }
    } catch (error) {
      found.delete(key);
      if (state.known === known) viewer.say(error.message, "trust");
    } finally {
      if (found.get(key)?.pending) found.delete(key);
      viewer.wait(-1);
      draw();
    }
  }

  /** Press: begin, or end what runs. */
  function press(kind) {
    const result = resultOf(kind);
    if (!result?.pending) return run(kind);
    foundOf(state).delete(keyOf(kind));
    draw();
  }

  /** Scroll the panel, and nothing else, until a test is seen with what it has found. */
  function showTest(kind) {
    const trial = find(`[data-trial=${kind}]`);
    const sheet = trial.closest("[data-sheet]");
    const scroller = sheet.scrollHeight > sheet.clientHeight + 1 && getComputedStyle(sheet).overflowY === "auto" ? sheet : find(".cam-panel");
    const tabs = scroller === sheet ? 0 : find(".cam-tabs").offsetHeight + 8;
    const by = trial.getBoundingClientRect().top - scroller.getBoundingClientRect().top - tabs;
    if (Math.abs(by) > 2) scroller.scrollTop += by;
  }

  const actions = Object.fromEntries(TESTS.map((kind) => [kind, () => press(kind)]));
  actions.sort = () => {
    sorted = !sorted;
    marks.key = "";
    viewer.set({});
  };

  /** The scores of all maps for the label that is shown, best first. */
  const scoresShown = () => (state.scene && foundOf(state) && state.known.scores.get(keyOfLabel())) ?? [];

  /** What is known of a method at this layer: its score, and whether its maps of all labels are alike. */
  function noteOf(name) {
    const { layer, versus, revision } = state;
    const key = [keyOfLabel(), layer, revision].join("|");
    if (marks.key !== key) Object.assign(marks, { key, notes: new Map() });
    if (!marks.notes.has(name)) {
      const score = scoresShown().find((each) => each.method === name && each.layer === layer);
      const likeness = versus === null && methodOf(name).knows_label ? likenessOf(viewer, name) : null;
      const parts = [...(score ? [`score ${score.value.toFixed(2)}`] : []), ...(likeness > ALIKE ? [`all labels alike here (${likeness.toFixed(2)})`] : [])];
      marks.notes.set(name, parts.join(" · "));
    }
    return marks.notes.get(name);
  }

  /** The methods in the order in which they are listed. */
  function inOrder(methods) {
    if (!sorted) return methods;
    const scores = scoresShown();
    const valueOf = ({ name }) => scores.find(({ method, layer }) => method === name && layer === state.layer)?.value ?? -2;
    return [...methods].sort((a, b) => valueOf(b) - valueOf(a));
  }

  function drawScores() {
    const mine = scoresShown().filter(({ method }) => method === state.method);
    for (const button of root.querySelectorAll(".cam-strip button")) {
      const place = mine.findIndex(({ layer }) => layer === button.dataset.layer);
      button.dataset.score = place < 0 ? "" : mine[place].value.toFixed(2);
      button.style.order = sorted && mine.length ? String(place < 0 ? mine.length : place) : "";
    }
    const sort = find("[data-action=sort]");
    if (!sort) return;
    sort.hidden = !scoresShown().length;
    sort.setAttribute("aria-pressed", String(sorted));
  }

  function drawSteps(steps) {
    const place = find(".cam-steps");
    place.hidden = !steps;
    const key = [keyOf("randomised"), viewer.heat.evidence(), state.colormap].join("|");
    if (!steps || place.dataset.key === key) return;
    place.dataset.key = key;
    place.replaceChildren(...steps.map((step) => {
      const mini = make("canvas", { width: 48, height: 48 });
      const where = paintStep(viewer, mini, step);
      return make("figure", { title: `Random weights: ${where}` }, mini,
        make("figcaption", { textContent: step.likeness.toFixed(2) }), make("span", { className: "cam-unseen", textContent: where }));
    }));
  }

  /** One test as far as it is: what follows first, then from what, then what it is and is not. */
  function drawTest(trial, result) {
    const { verdict = "", numbers = "", caveat = "", done, total, pending } = result ?? {};
    tell(trial.querySelector(".cam-verdict"), pending ? verdict || "Being computed …" : verdict);
    tell(trial.querySelector(".cam-numbers"), numbers);
    tell(trial.querySelector(".cam-caveat"), pending ? "" : caveat);
    const bar = trial.querySelector("progress");
    bar.hidden = !pending;
    if (total) bar.value = done / total;
    else bar.removeAttribute("value");
    const button = trial.querySelector("button");
    if (!button) return; // a file can't be asked
    button.dataset.title ??= button.textContent;
    tell(button, pending ? "Cancel" : button.dataset.title);
  }

  /** What is seen: the scores at the strip, and the panel while it is open. */
  function draw() {
    if (!state.scene || !find("[data-trial]")) return;
    drawScores();
    if (outOfSight(root, "trust")) return;
    for (const trial of root.querySelectorAll("[data-trial]")) drawTest(trial, resultOf(trial.dataset.trial));
    viewer.write(".cam-alike", describeLikeness(viewer) || "Does this map deserve belief? Each test takes a second or so.");
    const curves = resultOf("curves");
    find(".cam-curves").hidden = !curves?.deletion;
    if (curves?.deletion) drawCurves(find(".cam-curves"), curves);
    drawSteps(resultOf("randomised")?.steps);
    // Of another map of a label whose scores are here the sentences are computed at once.
    const isNext = host.scores && !resultOf("scores") && scoresShown().length && !tried.has(keyOf("scores"));
    if (isNext && !isLive(viewer)) run("scores", false);
  }

  /** A pointer on the curves shows what is gone at that point. */
  function listen() {
    const canvas = find(".cam-curves");
    canvas?.addEventListener("pointermove", ({ offsetX }) => {
      const share = within((offsetX / canvas.clientWidth) * canvas.width - CURVE.left, CURVE.width) / CURVE.width;
      const region = strongestRegion(viewer, Math.round(share * 100));
      viewer.set({ draft: region });
    });
    canvas?.addEventListener("pointerleave", () => viewer.set({ draft: null }));
  }

  /** What was found of the map that is shown, in the order of the tests: [[kind, answer], ...]. */
  const results = () => TESTS.map((kind) => [kind, resultOf(kind)]).filter(([, result]) => result && !result.pending);

  listen();
  return { actions, draw, noteOf, inOrder, results };
}

/** Paint the map of a network with random weights; tells which these are. */
function paintStep(viewer, canvas, { behind, map }) {
  const { evidence, pixels } = viewer.heat.settings();
  const decoded = decodeMap(map);
  paintTile(canvas, decoded, displayRange(rangeOf([decoded]), evidence), { evidence, pixels });
  return behind ? `behind ${behind}` : "all weights";
}

const CURVE = { left: 44, top: 12, width: 424, height: 190 }; // where the curves are, in pixels of their canvas

/** Two curves, each before the band of its random orders; told apart by their dashes too. */
function drawCurves(canvas, curves, ink = getComputedStyle(canvas).color) {
  const context = canvas.getContext("2d");
  const { left, top, width, height } = CURVE;
  const floats = (text) => new Float32Array(bytesOf(text).buffer);
  const x = (share) => left + share * width;
  const y = (probability) => top + (1 - within(probability, 1)) * height;
  const trace = (shares, values) => values.forEach((value, i) => context[i ? "lineTo" : "moveTo"](x(shares[i]), y(value)));
  context.clearRect(0, 0, canvas.width, canvas.height);
  Object.assign(context, { font: "20px system-ui, sans-serif", fillStyle: ink, strokeStyle: ink, lineWidth: 1, textAlign: "right" });
  context.strokeRect(left, top, width, height);
  context.fillText("1", left - 6, top + 14);
  context.fillText("0", left - 6, top + height);
  context.fillText("all", left + width, top + height + 24);
  context.textAlign = "left";
  context.fillText("share of the pixels", left, top + height + 24);
  const kinds = { deletion: ["away", []], insertion: ["in", [10, 6]] };
  for (const [kind, [name, dash]] of Object.entries(kinds)) {
    if (!curves[kind]) continue; // it comes
    const { shares, probabilities, low, high } = curves[kind];
    const [at, values] = [floats(shares), floats(probabilities)];
    if (low) {
      const [floor, ceiling] = [floats(low), floats(high)];
      context.globalAlpha = 0.18;
      context.beginPath();
      trace(at, ceiling);
      for (let i = at.length - 1; i >= 0; i--) context.lineTo(x(at[i]), y(floor[i]));
      context.fill();
      context.globalAlpha = 1;
    }
    context.setLineDash(dash);
    context.lineWidth = 3;
    context.beginPath();
    trace(at, values);
    context.stroke();
    context.setLineDash([]);
    const middle = Math.floor(at.length * (kind === "deletion" ? 0.25 : 0.6));
    if (at.at(-1) < 1) continue; // it grows
    context.fillText(name, x(at[middle]) + 8, y(values[middle]) - 6);
  }
  canvas.setAttribute("aria-label", `${curves.verdict} ${curves.numbers}`.trim());
}
