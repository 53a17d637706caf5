// Methods that explain the input itself, pixel by pixel. They take seconds to minutes: a map is asked for,
// watched and may be cancelled; one that is here stays here, for its label and settings.

const INPUT = "input"; // what the server calls the layer of such a map

/** What the server is asked for: the map that a state shows. */
function pixelQuestion(state) {
  const { scene, method, target } = state;
  return { id: scene.id, method, target, ...comparedIn(state), settings: settingsOf(state, method) };
}

/** What asks for the maps of a viewer's pixels. */
function pixelsOf(viewer) {
  const { state, host } = viewer;
  let running = null; // {key, question}: what is under way

  const keyNow = () => pixelKey(state, state.method, state.target);

  function stop() {
    if (!running) return;
    host.cancelPixel(running.question);
    running = null;
    giveUp();
  }

  /** Back to a method of layers; of two that are compared, to the one that is here. */
  function giveUp() {
    if (viewer !== viewer.main) viewer.main.comparing.end();
    else if (isPixel(state.method)) viewer.set(methodChosen(viewer, state.layered));
  }

  /** Ask for the map that is shown and not here; what was asked before and is not shown any more ends. */
  async function ask() {
    const key = keyNow();
    if (!host.pixel || isLive(viewer.main) || running?.key === key || refusalOf(state, state.method)) return;
    if (running) host.cancelPixel(running.question);
    const { known, method } = state;
    const mine = { key, question: pixelQuestion(state) };
    running = mine;
    const isMine = () => running === mine;
    const isShown = () => isMine() && state.known === known && isPixel(state.method) && keyNow() === key;
    viewer.wait(1);
    try {
      let answer = await host.pixel(mine.question);
      while (answer.state === "running" && isShown()) {
        const { done, total } = answer;
        const told = total ? `${done} of ${total} forwards` : "waiting for its turn";
        viewer.doing(`${methodOf(method).title}: ${told}`, { share: total ? done / total : 0, cancels: true });
        await pause(GLANCE);
        if (isMine()) answer = await host.pixelState(mine.question);
      }
      if (answer.state === "ready") keepPixels(known, state, mine.question, answer);
      else if (answer.error) throw new Error(answer.error);
      else if (isMine() && answer.state === "running") host.cancelPixel(mine.question); // nobody looks any more
    } catch (error) {
      if (isMine()) {
        giveUp();
        viewer.say(error.message);
      }
    } finally {
      viewer.wait(-1);
      if (isMine()) {
        running = null;
        viewer.doing("");
      }
      state.revision++;
      viewer.main.set({});
    }
  }

  return { ask, stop, isRunning: () => running !== null };
}
