// Trust: what a map can be put to, each on one press. What was found stays with the map that it was
// found for, so that it is there again when that map is.

const COMPUTING = "Being computed …";

/** What is asked: the map that is shown. */
function shownMap(state) {
  const { scene, layer, method, target } = state;
  return { id: scene.id, layer, method, target, ...comparedIn(state) };
}

/** The tests of a viewer's maps. */
function trustOf(viewer) {
  const { state, host, find, root } = viewer;
  const foundOf = ({ known }) => (known.trials ??= new Map()); // answers by their keys; they go with the scene

  /** Which map, or which label alone, a test is about. */
  function keyOf(kind) {
    const { scene, layer, method, target, fill } = state;
    const about = { scores: [], curves: [layer, method, fill], randomised: [layer, method], completeness: [layer, method] };
    return [kind, scene.id, target, rivalsOf(state), state.strength, ...about[kind]].join("|");
  }

  const resultOf = (kind) => (state.scene ? foundOf(state).get(keyOf(kind)) : undefined);

  /** Ask for a test; `more` comes after a first answer, in place of it. */
  async function run(kind, more = {}, later = null) {
    if (!canBeAsked(viewer)) return;
    const [key, found] = [keyOf(kind), foundOf(state)];
    const question = { ...shownMap(state), fill: state.fill };
    found.set(key, { ...found.get(key), text: COMPUTING, pending: true });
    viewer.wait(1);
    draw();
    try {
      for (const each of [more, later]) {
        if (!each) continue;
        const answer = await host[kind]({ ...question, ...each });
        if (answer.error !== undefined) throw new Error(answer.error);
        found.set(key, { text: "", ...answer, pending: each !== (later ?? more) });
        draw();
      }
    } catch (error) {
      found.delete(key);
      if (key === keyOf(kind)) viewer.say(error.message, "trust");
    } finally {
      viewer.wait(-1);
      draw();
    }
  }

  const actions = {
    scores: () => run("scores"),
    curves: () => run("curves", { band: false }, { band: true }),
    randomised: () => run("randomised"),
    completeness: () => run("completeness"),
  };

  /** What of a test is said: its own words, or that there is nothing. */
  function textOf(kind, result) {
    if (!result) return "";
    if (kind === "curves" && result.deletion) {
      return result.pending ? COMPUTING : `${result.deletion.text} ${result.insertion.text}`;
    }
    return result.text || (kind === "completeness" ? "This map promises no such thing: more than averaging follows on its layer." : "");
  }

  /** The scores of the strip's maps by the method that is shown: {layer: score}. */
  function scoresShown() {
    const mine = (resultOf("scores")?.scores ?? []).filter(({ method }) => method === state.method);
    return Object.fromEntries(mine.map((score) => [score.layer, score]));
  }

  function drawScores() {
    const scores = scoresShown();
    for (const button of root.querySelectorAll(".cam-strip button")) {
      const score = scores[button.dataset.layer];
      button.dataset.score = score ? score.value.toFixed(2) : "";
    }
  }

  function drawSteps(steps) {
    const place = find(".cam-steps");
    place.hidden = !steps;
    const key = [keyOf("randomised"), viewer.heat.evidence(), state.colormap].join("|");
    if (!steps || place.dataset.key === key) return;
    place.dataset.key = key;
    const { evidence, pixels } = viewer.heat.settings();
    place.replaceChildren(...steps.map(({ behind, likeness, map }) => {
      const mini = make("canvas", { width: 48, height: 48 });
      const decoded = decodeMap(map);
      paintTile(mini, decoded, displayRange(rangeOf([decoded]), evidence), { evidence, pixels });
      const where = behind ? `behind ${behind}` : "all weights";
      return make("figure", { title: `Random weights: ${where}` }, mini,
        make("figcaption", { textContent: likeness.toFixed(2) }), make("span", { className: "cam-unseen", textContent: where }));
    }));
  }

  /** What is seen: the scores at the strip, and the panel while it is open. */
  function draw() {
    if (!state.scene || !find("[data-trial]")) return;
    drawScores();
    if (outOfSight(root, "trust")) return;
    for (const trial of root.querySelectorAll("[data-trial]")) {
      const kind = trial.dataset.trial;
      const result = resultOf(kind);
      tell(trial.querySelector("p"), textOf(kind, result));
      trial.querySelector("button").disabled = Boolean(result?.pending);
    }
    viewer.write(".cam-alike", describeLikeness(viewer) || "Does this map deserve belief? Each test takes a second or more.");
    const curves = resultOf("curves");
    find(".cam-curves").hidden = !curves?.deletion;
    if (curves?.deletion) drawCurves(find(".cam-curves"), curves);
    drawSteps(resultOf("randomised")?.steps);
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

  listen();
  return { actions, draw };
}

const CURVE = { left: 44, top: 12, width: 424, height: 190 }; // where the curves are, in pixels of their canvas

/** Two curves, each before the band of its random orders; told apart by their dashes too. */
function drawCurves(canvas, curves) {
  const context = canvas.getContext("2d");
  const { left, top, width, height } = CURVE;
  const ink = getComputedStyle(canvas).color;
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
    context.fillText(name, x(at[middle]) + 8, y(values[middle]) - 6);
  }
  canvas.setAttribute("aria-label", `${curves.deletion.text} ${curves.insertion.text}`);
}
