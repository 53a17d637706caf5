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

  function cancel() {
    if (!running) return;
    host.cancelPixel(running.question);
    running = null;
    if (isPixel(state.method)) viewer.main.set({ method: state.layered });
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
        viewer.say(error.message);
        viewer.main.set({ method: state.layered });
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

  return { ask, cancel, isRunning: () => running !== null };
}

/** What changes with a method: one of pixels is signed, and another layer's method is come back to. */
function methodChosen({ state }, method) {
  if (isPixel(method) === isPixel(state.method)) return { method };
  return isPixel(method) ? { method, layered: state.method, evidence: "signed" } : { method, evidence: "positive" };
}

/** The control of a setting. */
function settingControl(state, method, setting) {
  const { name, title, help, values, low, high, step } = setting;
  const value = settingsOf(state, method)[name];
  const control = values
    ? make("select", {}, ...entriesOf(values))
    : make("input", { type: "number", min: low, max: high, step });
  control.value = value;
  control.dataset.setting = name;
  control.setAttribute("aria-label", title);
  return make("label", { className: "cam-field", title: help }, values ? title : `${title}, ${low} to ${high}`, control);
}

/** The settings of the method that is shown, behind their button. */
function drawSettings({ state, find }) {
  const { method } = state;
  const button = find(".cam-settings");
  const settings = methodOf(method)?.settings ?? [];
  button.hidden = !settings.length;
  button.title = Object.entries(settings.length ? settingsOf(state, method) : {}).map(([name, value]) => `${name} ${value}`).join(", ");
  const place = find(".cam-setting-fields");
  const shown = `${method} ${settingsText(state, method)}`;
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.setting : null;
  place.replaceChildren(...settings.map((setting) => settingControl(state, method, setting)));
  if (focused) place.querySelector(`[data-setting=${focused}]`)?.focus();
}

/** Listen to the settings: a changed one asks for another map. */
function listenToSettings(viewer) {
  const { state, find } = viewer;
  find(".cam-setting-fields").addEventListener("change", ({ target }) => {
    const setting = methodOf(state.method).settings.find(({ name }) => name === target.dataset.setting);
    const number = Number(target.value);
    const { low, high, step, default: usual } = setting;
    const isRight = setting.values || (target.value !== "" && number >= low && number <= high && (step < 1 || Number.isInteger(number)));
    const value = setting.values ? target.value : isRight ? number : usual;
    if (!isRight) target.value = value;
    viewer.set({ settings: { ...state.settings, [state.method]: { ...settingsOf(state, state.method), [setting.name]: value } } });
  });
}

/** The settings that a text has, "steps=32,baseline=blur"; what the method does not have is left out. */
function settingsFrom(method, text = "") {
  const given = Object.fromEntries(text.split(",").map((pair) => pair.split("=").map((part) => part.trim())));
  return Object.fromEntries(methodOf(method).settings.flatMap((setting) => {
    const value = given[setting.name] === undefined ? undefined : valueFrom(setting, given[setting.name]);
    return value === undefined ? [] : [[setting.name, value]];
  }));
}
