// What comes from the server while a person looks: more maps, more labels.

const MOST = 8; // labels in one question: what the server takes

/** Under which name a map is kept; `rivals` are those that it was held against, and how strongly. */
function mapKey(method, layer, target, rivals = [], strength = 1) {
  const against = rivals.length ? [[...rivals].sort((a, b) => a - b), strength] : [];
  return [method, layer, target, ...against].join("/");
}

/** What is here of a scene: its maps, and what has been asked for. */
function knownOf({ method, maps, complete }) {
  const known = { maps: new Map(), asked: new Set(), swept: new Set(complete ? [method] : []) };
  keepMaps(known, maps);
  return known;
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
  /** Ask for all stages by the method that is shown. */
  async function sweep(targets) {
    const { known, method } = state;
    known.swept.add(method);
    if (!(await ask(null, targets))) known.swept.delete(method);
  }

  /** All stages: of the label that is looked at first, then of the others on the page. */
  async function askForStages() {
    if (state.known.swept.has(state.method)) return;
    const others = state.scene.labels.map(({ index }) => index).filter((index) => index !== state.target);
    const first = ask(null, [state.target]);
    if (others.length) await sweep(others.slice(0, MOST));
    await first;
  }

  /** Ask for the maps that the picture lacks. */
  function askForMissing() {
    const { method, layer, target, scene, known } = state;
    const rivals = rivalsOf(state);
    const { stage, parts } = layerOf(scene, layer);
    const isSwept = stage || parts.length > 0;
    if (rivals.length && !methodOf(method).linear) {
      const compared = comparedIn(state);
      ask(null, [target], compared);
      if (!isSwept) ask([layer], [target], compared);
    }
    const labels = scene.labels.map(({ index }) => index);
    if (!known.swept.has(method)) {
      // A method that was just chosen: one question, and then all of it is instant.
      sweep([...new Set([target, ...rivals, ...labels])].slice(0, MOST));
      if (isSwept) return;
    }
    if (parts.length) return; // its parts are under way
    const missing = labels.filter((index) => !hasMap(index));
    const shown = missing.filter((index) => index === target || rivals.includes(index)).slice(0, MOST);
    // A stage is under way for all labels; a finer layer is asked for them all at once.
    const wanted = stage || missing.length > MOST ? shown : missing;
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
