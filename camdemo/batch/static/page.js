// A photo's page: the viewer, the way back to the sheet, and the duel if the address asks for it.

/** Show a scene; `rival` is the label that was expected where the model says another, else null. */
function openPage(scene, rival) {
  const root = document.getElementById("viewer");
  root.innerHTML = VIEWER;
  root.dataset.layers = scene.layers.filter(({ parts }) => !parts.length).length;
  const motto = root.querySelector(".cam-motto");
  motto.replaceChildren(document.querySelector(".cam-back"), make("span", { textContent: scene.name }));
  const isDuel = location.hash === "#duel" && rival !== null;
  mountViewer(root, {}).show(isDuel ? { ...scene, versus: [rival], strength: 1 } : scene);
}
