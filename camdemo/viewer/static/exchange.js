// What comes from the server while a person looks: more maps, more labels.

const NEXT = 2; // labels in one question of a sweep: who moves on has not had all of them computed

/**
 * What is here of a scene: its maps; what has been asked for; the methods whose sweep is under way or over; and the labels
 * of which all stages are here or under way, each under the key of a map at no layer.
 */
function knownOf({ method, maps, complete, pixels = null }) {
  const known = { maps: new Map(), asked: new Set(), swept: new Set(complete ? [method] : []), stages: new Set(), told: new Map() };
  keepMaps(known, maps);
  if (pixels) keepPixels(known, { settings: {} }, pixels, pixels);
  return known;
}

/** Keep a map of pixels, and what is told of it, under what was asked. */
function keepPixels(known, state, { method, target, versus, strength, settings }, answer) {
  const asked = { settings: { ...state.settings, [method]: settings }, target, versus: versus?.length ? versus : null, strength };
  const key = pixelKey(asked, method, target);
  known.maps.set(key, decodeMap(answer.map));
  known.told.set(key, answer);
}

/** Keep maps as they travel. */
function keepMaps(known, packets) {
  for (const packet of packets) {
    known.maps.set(mapKey(packet.method, packet.layer, packet.target, packet.versus, packet.strength), decodeMap(packet));
  }
}

/** What finds a map of a state: of a label at a layer; that of the explained label may be against others. */
function mapsOf(state) {
  const made = { revision: 0, maps: new Map() }; // of others: contrasts, and all layers at once
  const madeOf = (key, maps, build) => {
    if (made.revision !== state.revision) Object.assign(made, { revision: state.revision, maps: new Map() });
    if (!made.maps.has(key) && maps.every(Boolean)) made.maps.set(key, build(maps));
    return made.maps.get(key);
  };
  return function mapOf(layer, target, method = state.method) {
    if (isPixel(method)) return state.known.maps.get(pixelKey(state, method, target));
    const { strength } = state;
    const rivals = target === state.target ? rivalsOf(state) : [];
    const key = mapKey(method, layer, target, rivals, strength);
    const there = state.known.maps.get(key);
    const { parts, shape } = layerOf(state.scene, layer);
    if (parts.length) return there ?? madeOf(key, parts.map((part) => mapOf(part, target, method)), (maps) => fuse(maps, shape.slice(1)));
    if (!rivals.length || !methodOf(method).linear) return there;
    const all = [target, ...rivals].map((index) => state.known.maps.get(mapKey(method, layer, index)));
    return madeOf(key, all, ([own, ...others]) => contrastOf(own, others, strength));
  };
}

/** What asks the server for maps. */
function exchangeOf(viewer) {
  const { state, host } = viewer;

  const hasMap = (target) => state.known.maps.has(mapKey(state.method, state.layer, target));
  /** Ask for all stages of these labels by the method that is shown. */
  async function sweep(targets) {
    const { known, method } = state;
    known.swept.add(method);
    if (!(await ask(null, targets))) known.swept.delete(method);
  }

  /**
   * All stages of all labels on the page: of the one that is looked at, then of the others, in the order in which they
   * are wanted when their turn comes. Two questions are under way, so that the server always knows what comes next.
   * Once a person has moved on, no more are asked, and what is left is asked when they are back.
   */
  async function askForStages() {
    const { known, method, scene } = state;
    if (!host.maps || isPixel(method) || known.swept.has(method)) return;
    known.swept.add(method);
    const isWanted = () => state.known === known && state.method === method && !viewer.isMovingOn();
    const left = () => {
      if (!isWanted()) return [];
      const wanted = [state.target, ...rivalsOf(state), ...scene.labels.map(({ index }) => index)];
      return [...new Set(wanted)].filter((index) => index !== null && !known.stages.has(mapKey(method, null, index)));
    };
    async function askForNext(count) {
      const labels = left().slice(0, count);
      return labels.length ? (await ask(null, labels)) && askForNext(NEXT) : isWanted();
    }
    const alone = left()[0] === state.target ? 1 : NEXT;
    const came = await Promise.all([askForNext(alone), askForNext(NEXT)]);
    if (!came.every(Boolean)) known.swept.delete(method);
  }

  /** Ask for the maps that the picture lacks. */
  function askForMissing() {
    if (isPixel(state.method)) return viewer.pixels.ask();
    const { method, layer, target, scene, known } = state;
    const rivals = rivalsOf(state);
    const { stage, parts } = layerOf(scene, layer);
    const isSwept = stage || parts.length > 0;
    if (rivals.length && !methodOf(method).linear) {
      const compared = comparedIn(state);
      ask(null, [target], compared);
      if (!isSwept) ask([layer], [target], compared);
    }
    if (!known.swept.has(method)) {
      askForStages(); // of a method that was just chosen: then all of it is instant
      if (isSwept) return;
    }
    if (parts.length) return; // its parts are under way
    const missing = scene.labels.map(({ index }) => index).filter((index) => !hasMap(index));
    const shown = missing.filter((index) => index === target || rivals.includes(index)).slice(0, MOST);
    // A stage comes with the sweep; a finer layer is asked for all labels at once.
    const comes = (index) => known.stages.has(mapKey(method, null, index));
    const late = stage ? shown.filter((index) => !comes(index)) : shown;
    const wanted = stage || missing.length > MOST ? late : missing;
    if (wanted.length) ask([layer], wanted);
  }

  /**
   * Ask for maps; null means every stage, or the labels on the page, which go by their indices or
   * names. Each question is asked once a scene; one that failed is asked again when a person does something. True if the answer came.
   */
  async function ask(layers, targets, compared = {}) {
    const { scene, known, method } = state;
    const question = { layers, targets, method, ...compared };
    const text = JSON.stringify(question);
    if (!host.maps || isLive(viewer) || known.asked.has(text)) return false;
    known.asked.add(text);
    const labels = layers || compared.versus ? [] : targets.map((target) => mapKey(method, null, target));
    for (const label of labels) known.stages.add(label);
    const isShown = () => state.known === known; // and no other photo or frame meanwhile
    viewer.wait(1);
    try {
      const answer = await host.maps({ id: scene.id, ...question, beside: viewer.beside() });
      if (!answer.maps) throw new Error(answer.error); // in no words where another scene was asked for
      keepMaps(known, answer.maps);
      scene.labels.push(...answer.labels.filter((label) => !labelOf(scene, label.index)));
      if (isShown()) {
        state.revision++;
        buildLabels(viewer.main);
        viewer.set({});
      }
      return true;
    } catch (error) {
      known.asked.delete(text);
      for (const label of labels) known.stages.delete(label);
      if (isShown()) viewer.say(error.message);
      return false;
    } finally {
      viewer.wait(-1);
    }
  }

  /** Put any label on the page: its maps of all stages come in one request. */
  async function addLabel(index) {
    if (isLive(viewer)) return viewer.set({ pinned: index }); // the next frame has its map
    const { scene } = state;
    if (!labelOf(scene, index)) await ask(null, [index]);
    if (state.scene === scene && labelOf(scene, index)) viewer.chooseLabel(index);
  }

  return { sweep, askForStages, askForMissing, askForLabels: (labels) => ask(null, labels), addLabel };
}
