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
  return viewer.open({ source: { example: name }, ...asks }, how);
}

/** Send a file, and explain it. What is no photo is told so by the server, and nothing is lost. */
async function openFile(viewer, file, at = "photo", changes = {}) {
  viewer.wait(1);
  viewer.say("");
  const isStale = viewer.begin(); // the order is that in which a person asks
  try {
    const { path, error } = await viewer.host.upload(file);
    if (isStale()) return;
    if (error) return viewer.say(error, at);
    await viewer.open({ source: { path }, ...changes }, { at });
  } finally {
    viewer.wait(-1);
  }
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
