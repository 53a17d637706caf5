// How a photo comes to the page: an example, a file, a drop, a paste.

/** The examples, or the photos of a deck. */
function buildExamples(viewer) {
  const { examples } = viewer.state;
  viewer.find(".cam-examples").replaceChildren(
    ...examples.map((example) => {
      const { name, icon } = example;
      const button = make("button", { type: "button", title: name }, make("img", { src: icon, alt: "" }), name);
      button.dataset.example = name;
      button.addEventListener("click", () => openExample(viewer, example, { at: "photo" }));
      return button;
    }),
  );
}

/** Explain an example, as it is asked best: two animals as a whole, one against the other. */
function openExample(viewer, { name, asks }, how) {
  const { target, versus, ...others } = asks;
  const { vocabulary = "ImageNet" } = viewer.state.scene?.model ?? {}; // whose labels the examples ask for
  const labels = vocabulary === "ImageNet" && target ? { target, versus } : {};
  return viewer.open({ source: { example: name }, ...others, ...labels }, how);
}

/** Send a file; gives its path on the server, or null where that failed or `isStale`. What went wrong is said. */
async function sendFile(viewer, file, at, isStale = () => false) {
  const [size, largest] = [file.size / 1e6, viewer.state.largest];
  if (size > largest) {
    viewer.say(`The photo has ${size.toFixed(1)} MB, more than ${largest}. Send a smaller one.`, at);
    return null;
  }
  viewer.wait(1);
  try {
    const { path, error } = await viewer.host.upload(file);
    if (isStale()) return null;
    if (error) viewer.say(error, at);
    return error ? null : path;
  } finally {
    viewer.wait(-1);
  }
}

/** Send a file, and explain it. What is no photo is told so by the server, and nothing is lost. */
async function openFile(viewer, file, at = "photo", changes = {}) {
  viewer.say("");
  const isStale = viewer.begin(); // the order is that in which a person asks
  const path = await sendFile(viewer, file, at, isStale);
  if (path) await viewer.open({ source: { path }, ...changes }, { at });
}

/** Listen to whatever brings a photo, anywhere on the page. */
function listenToPhotos(viewer) {
  const { find, cam } = viewer;
  const field = find(".cam-file");
  field.addEventListener("change", () => {
    const [file] = field.files;
    field.value = ""; // so that the same file can be chosen again
    if (file) openFile(viewer, file);
  });
  const fileOf = (transfer) => [...(transfer?.files ?? [])][0];
  document.addEventListener("dragover", (event) => {
    if (![...(event.dataTransfer?.types ?? [])].includes("Files")) return;
    event.preventDefault();
    cam.classList.add("cam-drops");
  });
  document.addEventListener("dragleave", ({ relatedTarget }) => {
    if (!relatedTarget) cam.classList.remove("cam-drops");
  });
  document.addEventListener("drop", (event) => {
    cam.classList.remove("cam-drops");
    const file = fileOf(event.dataTransfer);
    if (!file) return;
    event.preventDefault();
    openFile(viewer, file, "canvas");
  });
  document.addEventListener("paste", (event) => {
    const file = fileOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    openFile(viewer, file, "canvas");
  });
}
