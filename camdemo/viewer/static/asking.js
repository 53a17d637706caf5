// What is asked as a whole: another photo, model or framing. Whatever asked it, there is one way to the
// answer; a newer question makes an older one void, and one that fails leaves all as it was.

const PATIENCE = 1000; // milliseconds after which a person is told what is waited for
const GLANCE = 300; // milliseconds between two looks at a download
const STARTING = "Starting the model, about 5 s";

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** The name of a label, by which other models know it too; null for none. */
function labelText(scene, index) {
  return index === null ? null : labelOf(scene, index).label;
}

/** Whether a model, by its name, has the labels of another one: if not, none can be kept. */
function speakAlike(models, name, { vocabulary }) {
  return (models.find((each) => each.name === name)?.vocabulary ?? vocabulary) === vocabulary;
}

/** What a label is compared with, by names that other models know too: null, OTHERS, a name or several. */
function rivalNames({ scene, target, versus }) {
  if (versus === null || versus === OTHERS) return versus;
  const names = rivalsOf({ scene, target, versus }).map((index) => labelText(scene, index));
  return names.length > 1 ? names : names[0];
}

/** The same where labels were put onto the page: only this page knows that they are among the others. */
function rivalNamesTold(state) {
  const { scene, target, versus } = state;
  const five = scene.labels.slice(0, 5).filter(({ index }) => index !== target).length;
  const rivals = rivalsOf(state);
  return versus === OTHERS && rivals.length !== five ? rivals.map((index) => labelText(scene, index)) : rivalNames(state);
}

/** What is asked when nothing but `changes` becomes other than it is. */
function questionOf(state, changes) {
  const { scene, source, framing, layer, method, target, versus, strength, pinned, models } = state;
  if (!scene) return { source, method, ...changes };
  const chosen = pinned !== null || versus !== null; // a label that nobody chose may be another now
  const asked = {
    source,
    model: scene.model.name,
    layer,
    method,
    settings: isPixel(method) ? settingsText(state, method) : null,
    target: chosen ? labelText(scene, target) : null,
    versus: rivalNames(state),
    strength,
    framing: scene.framing,
    ...changes,
  };
  if (asked.model !== scene.model.name && !changes.layer) asked.layer = null;
  if (!speakAlike(models, asked.model, scene.model)) Object.assign(asked, { target: null, versus: null }, changes);
  // A label and a frame of one's own belong to the photo on which they were chosen.
  if (changes.source) Object.assign(asked, { target: null, versus: null, framing }, changes);
  return asked;
}

/** What asks for another scene. */
function askingOf(viewer) {
  const { state, host } = viewer;
  const begin = onlyTheLast(); // a person asks for something: whatever was asked before is void
  let stop = null; // what ends the download that is waited for
  let opening = 0; // scenes that are asked for

  /** Tell what is waited for, where that takes long; `waits` says whether it still is. */
  async function tellOfWaiting(waits) {
    const isCold = state.server === "starting";
    if (isCold) viewer.doing(STARTING);
    await pause(PATIENCE);
    while (waits()) {
      const { before } = await host.waiting();
      if (waits()) viewer.doing(before ? `Your turn comes: ${before} before you` : isCold ? STARTING : "Explaining");
      await pause(PATIENCE);
    }
  }

  /**
   * Ask, and show the answer. True where it came.
   * `at` is where it is said what went wrong, `wanted` what a link asks of the viewer.
   */
  async function open(changes, { at = "canvas", wanted = {}, ...how } = {}) {
    const isStale = begin();
    const question = questionOf(state, changes);
    const isCamera = Boolean(question.source?.camera);
    let pending = true;
    viewer.wait(1);
    viewer.say("");
    try {
      if (!(await fetchModel(question.model, isStale)) || isStale()) return false;
      if (isCamera && isPixel(state.method)) viewer.set(methodChosen(viewer, state.layered));
      if (isCamera) return await viewer.live.start(question, isStale);
      tellOfWaiting(() => pending && !isStale());
      opening++;
      const scene = await host.open(question).finally(() => opening--);
      pending = false;
      if (isStale()) return false;
      if (scene.error !== undefined) throw new Error(scene.error);
      viewer.live.end();
      await viewer.show({ ...scene, wanted }, { source: question.source, ...how });
      return true;
    } catch (error) {
      if (!isStale()) viewer.say(error.message, at);
      return false;
    } finally {
      pending = false;
      viewer.wait(-1);
      if (!isStale()) {
        viewer.doing("");
        viewer.wantedExample = state.scene?.example; // Page Down goes on from what is shown
        if (state.scene) viewer.askForStages(); // where all is as it was, what was dropped for the other scene
      }
    }
  }

  /** Wait until the weights of a model are there, at once where they are; nobody waits for a stale one. */
  async function fetchModel(name, isStale = () => false) {
    const model = state.models.find((each) => each.name === name);
    if (!model || model.ready) return true;
    let canceled = false;
    const mine = () => {
      canceled = true;
      host.cancelDownload({ model: name });
    };
    stop = mine;
    let answer = await host.download({ model: name });
    while (answer.state === "running" && !canceled) {
      if (isStale()) mine();
      if (canceled) break;
      const size = (bytes) => Math.round(bytes / 2 ** 20);
      const { received, total } = answer;
      viewer.doing(`Weights of ${model.title}: ${size(received)} of ${size(total || model.megabytes * 2 ** 20)} MB`, {
        share: total ? received / total : 0,
        cancels: true,
      });
      await pause(GLANCE);
      answer = await host.downloadState({ model: name });
    }
    if (stop === mine) stop = null;
    if (!isStale()) viewer.doing("");
    if (canceled) return false;
    if (answer.error) throw new Error(answer.error);
    model.ready = true;
    buildModels(viewer);
    return true;
  }

  return { open, begin, fetchModel, isMovingOn: () => opening > 0, cancelDownload: () => stop?.() };
}
