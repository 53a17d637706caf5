// What a person can choose. OPTIONS comes from camdemo/question.py, and every control of viewer.html
// that names an option is made from it here.

/** An option by its name: {name, title, help, default, values or low, high, step}. */
function optionOf(name) {
  return OPTIONS.question[name] ?? OPTIONS.look[name] ?? OPTIONS[name];
}

/** The names of an option's values, in their order. */
function valuesOf(name) {
  return optionOf(name).values.map((value) => value.name);
}

/** What is chosen at first: {name: value}. */
function defaultsOf(options) {
  return Object.fromEntries(options.map((option) => [option.name, option.default]));
}

/** How the picture is painted: {option: value}. */
function lookOf(state) {
  return Object.fromEntries(Object.keys(OPTIONS.look).map((name) => [name, state[name]]));
}

/** A method by its name: {name, title, linear, paper, formula}. */
function methodOf(name) {
  return optionOf("method").values.find((method) => method.name === name);
}

/** Whether a method explains the input itself, each pixel of it, and no layer. */
function isPixel(name) {
  return methodOf(name)?.kind === "pixel";
}

/** All settings of a method: those that were chosen, else its defaults. */
function settingsOf({ settings }, name) {
  return { ...defaultsOf(methodOf(name)?.settings ?? []), ...settings[name] };
}

/** The same as a text: "steps=32,baseline=blur". */
function settingsText(state, name) {
  return Object.entries(settingsOf(state, name)).map((pair) => pair.join("=")).join(",");
}

/** Changes of what is chosen; a look brings its own colours and opacity, unless others come with it. */
function withBrought(changes) {
  const chosen = optionOf("look").values.find(({ name }) => name === changes.look);
  return { ...chosen?.brings, ...changes };
}

/** The entries of a dropdown. */
function entriesOf(values) {
  return values.map(({ name, title }) => make("option", { value: name, textContent: title }));
}

/** One of several that are all in sight. */
function radiosOf(option) {
  const radio = (value) => make("input", { type: "radio", name: `cam-${option.name}`, value });
  return [
    make("legend", { textContent: option.title }),
    ...option.values.map(({ name, title }) => make("label", {}, radio(name), title)),
  ];
}

/** A switch, a range or a dropdown; that of layers, labels and methods is filled with the scene. */
function controlOf({ name, title, default: first, low, high, step, values = [] }) {
  const isSwitch = typeof first === "boolean";
  const input = isSwitch ? { type: "checkbox" } : { type: "range", min: low, max: high, step };
  const isInput = isSwitch || high !== undefined;
  const control = isInput ? make("input", input) : make("select", {}, ...entriesOf(values));
  control.dataset.control = name;
  if (isSwitch) return [control, title];
  control.setAttribute("aria-label", title); // without the texts of its entries
  return [title, control];
}

/** Make the controls of all options that have a place in viewer.html. */
function buildOptions(root) {
  for (const place of root.querySelectorAll("[data-option]")) {
    const option = optionOf(place.dataset.option);
    // A frame of one's own is chosen from the list, and then moved on the photo.
    if (option.name === "framing") option.values = [...option.values.filter(({ name }) => name !== "own"), { name: "own", title: "A frame of my own" }];
    place.title = option.help;
    place.replaceChildren(...(place.tagName === "FIELDSET" ? radiosOf(option) : controlOf(option)));
  }
}
