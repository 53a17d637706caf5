// What comes from the server while a person looks: more maps, more labels, the scenes of a deck.

/** The entry of a label among those on the page. */
function labelOf(scene, index) {
  return scene.labels.find((label) => label.index === index);
}

/** What asks the server for maps. Each question is asked once a scene. */
function exchange(viewer) {
  const { state, host } = viewer;
  const asked = new Set();

  const hasMap = (target) => state.maps.has(`${state.layer}/${target}`);
  const isStage = (name) => state.scene.layers.find((layer) => layer.name === name).stage;

  function keep(packets) {
    for (const packet of packets) state.maps.set(`${packet.layer}/${packet.target}`, decodeMap(packet));
    state.revision++;
  }

  /** Forget the maps of a scene, and what was asked. */
  function begin(packets) {
    state.maps = new Map();
    asked.clear();
    keep(packets);
  }

  /** Ask for the maps that the picture lacks: a finer layer's for all labels at once. */
  function askForMissing() {
    const missing = state.scene.labels.map(({ index }) => index).filter((index) => !hasMap(index));
    const shown = missing.filter((index) => index === state.target || index === state.versus);
    // A stage is under way for all labels; one answer has at most 8.
    ask([state.layer], isStage(state.layer) || missing.length > 8 ? shown : missing);
  }

  /** Ask for maps; null means every stage, or the labels on the page. */
  async function ask(layers, targets) {
    const { scene } = state;
    const question = JSON.stringify([layers, targets]);
    if (!host.maps || asked.has(question)) return;
    asked.add(question);
    viewer.wait(1);
    try {
      const answer = await host.maps({ id: scene.id, layers, targets });
      if (state.scene !== scene) return; // another photo came meanwhile
      if (answer.error) throw new Error(answer.error);
      keep(answer.maps);
      scene.labels.push(...answer.labels.filter((label) => !labelOf(scene, label.index)));
      buildLabels(viewer);
    } catch (error) {
      viewer.say(error.message);
    } finally {
      viewer.wait(-1);
      if (state.scene === scene) viewer.set({});
    }
  }

  /** Put any label on the page: its maps of all stages come in one request. */
  async function addLabel(index) {
    const { scene } = state;
    if (!labelOf(scene, index)) await ask(null, [index]);
    if (state.scene === scene && labelOf(scene, index)) viewer.chooseLabel(index);
  }

  return { begin, ask, askForMissing, addLabel };
}

/** The scenes of a deck, all in memory so that a step needs no wait. */
function deckOf(viewer) {
  const scenes = [];
  let place = -1;

  async function step(by) {
    place = within(place + by, scenes.length - 1);
    await viewer.show(scenes[place]);
    viewer.host.changed?.();
  }

  /** Bring the deck into memory, and its first photo onto the page. */
  async function load({ size, scene }) {
    for (let i = 0; i < size; i++) {
      scenes.push(await scene(i));
      if (i === 0 && !viewer.state.scene) step(1);
    }
  }

  return { step, load, isEmpty: () => scenes.length === 0 };
}
