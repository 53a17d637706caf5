// What is one click away: menus, the tabs beside the picture, and on a phone the sheets.

/** Show a sheet of a phone, or none. */
function showSheet(viewer, name) {
  const { cam, root } = viewer;
  cam.dataset.sheet = name;
  for (const button of root.querySelectorAll("[data-opens]")) {
    button.setAttribute("aria-expanded", String(button.dataset.opens === name));
  }
}

/** Open or close a menu, beside the button that it belongs to. */
function toggleMenu(viewer, button) {
  const menu = viewer.find(`#cam-menu-${button.dataset.menu}`);
  showSheet(viewer, "");
  menu.togglePopover();
  const { left, right, top, bottom } = button.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const x = Math.min(left, innerWidth - width - 8, Math.max(8, right - width));
  const below = bottom + 4 + height < innerHeight;
  menu.style.left = `${Math.max(8, left + width < innerWidth ? left : x)}px`;
  menu.style.top = `${below ? bottom + 4 : Math.max(8, top - height - 4)}px`;
}

/** On a phone a finger that hides is brought by the sheet that tells of it, and goes with another one. */
function bringTool(viewer, sheet) {
  const { state } = viewer;
  const isFree = state.scene && viewer.host.hide && !state.other && !isLive(viewer);
  if (sheet === "hide" && isFree && ["read", "frame"].includes(state.tool)) {
    viewer.set({ tool: state.hider });
    viewer.brought = state.tool;
  } else if (!["", "hide", "trust"].includes(sheet) && viewer.brought) {
    if (state.tool === viewer.brought) viewer.set({ tool: "read" });
    viewer.brought = null;
  }
}

/** A result closes what stands before it, and is scrolled to. */
function showResult(viewer) {
  if (!viewer.cam.dataset.sheet) return;
  showSheet(viewer, "");
  viewer.cam.scrollIntoView({ block: "start" });
}

/** Show one of the tabs. */
function showTab(viewer, name) {
  for (const panel of viewer.root.querySelectorAll("[data-tab]")) panel.classList.toggle("cam-other", panel.dataset.tab !== name);
  for (const tab of viewer.root.querySelectorAll("[role=tab]")) {
    const chosen = tab.textContent === name;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
  }
}

/** The tabs: one for each part of the panel that a host has something for. */
function buildTabs(viewer) {
  const panels = [...viewer.root.querySelectorAll("[data-tab]")];
  const tabs = panels.map((panel) => {
    const tab = make("button", { type: "button", role: "tab", textContent: panel.dataset.tab });
    tab.addEventListener("click", () => {
      showTab(viewer, panel.dataset.tab);
      viewer.trust.draw(); // which waits until it is seen
    });
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-label", panel.dataset.tab);
    return tab;
  });
  const list = viewer.find(".cam-tabs");
  list.replaceChildren(...tabs);
  list.addEventListener("keydown", ({ key }) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (!by) return;
    const next = tabs[(tabs.indexOf(document.activeElement) + by + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
  if (panels.length) showTab(viewer, panels[0].dataset.tab);
  else viewer.find(".cam-panel").hidden = true;
}

/** Listen to the buttons that open something. */
function listenToMenus(viewer) {
  const { root, cam } = viewer;
  root.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-menu], [data-opens]");
    if (button?.dataset.menu) return toggleMenu(viewer, button);
    if (button) {
      showSheet(viewer, cam.dataset.sheet === button.dataset.opens ? "" : button.dataset.opens);
      bringTool(viewer, cam.dataset.sheet);
      return viewer.trust.draw();
    }
    if (cam.dataset.sheet && target.closest(".cam-canvas")) showSheet(viewer, "");
  });
}

/** Whether what is said at a place would be seen by nobody: in a menu or a sheet that is closed. */
function outOfSight(root, at) {
  const place = root.querySelector(`[data-at=${at}]`);
  return !place || place.parentElement.getClientRects().length === 0;
}
