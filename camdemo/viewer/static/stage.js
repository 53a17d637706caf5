// Stage mode: the picture and its labels fill the screen, for an audience.

const STILL = 2000; // milliseconds without a movement after which pointer, button and outline go

/** Fill the screen with the viewer, or leave it. */
function stageMode(viewer, on) {
  const { cam } = viewer;
  cam.classList.toggle("cam-fills-screen", on);
  cam.classList.remove("cam-blank");
  if (on) cam.requestFullscreen?.().catch(() => {}); // the class alone fills the window
  else if (document.fullscreenElement) document.exitFullscreen();
  viewer.set({});
}

/** Whether the viewer fills the screen. */
function isOnStage({ cam }) {
  return cam.classList.contains("cam-fills-screen");
}

/** Nothing but black, or the picture again. */
function toggleBlank(viewer) {
  return isOnStage(viewer) && (viewer.cam.classList.toggle("cam-blank"), true);
}

/** Any movement or tap shows the button that leaves; what is still is hidden again. */
function listenToStage(viewer) {
  const { cam } = viewer;
  let still;
  const moved = () => {
    if (!isOnStage(viewer)) return;
    cam.classList.add("cam-moved");
    clearTimeout(still);
    still = setTimeout(() => {
      cam.classList.remove("cam-moved");
      if (isOnStage(viewer) && viewer.state.cell && !viewer.state.reading) viewer.set({ cell: null });
    }, STILL);
  };
  for (const kind of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(kind, moved);
  document.addEventListener("fullscreenchange", () => {
    if (!document.fullscreenElement && isOnStage(viewer)) stageMode(viewer, false);
  });
}
