// The settings of a method of pixels: made from the registry, behind one click.

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
    const nearest = Math.min(Math.max(step < 1 ? number : Math.round(number), low), high);
    const value = setting.values ? target.value : isRight ? number : target.value ? nearest : usual;
    if (!isRight) target.value = value;
    viewer.set({ settings: { ...state.settings, [state.method]: { ...settingsOf(state, state.method), [setting.name]: value } } });
  });
}
