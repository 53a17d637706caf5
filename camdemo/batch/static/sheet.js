// The contact sheet: one state, and one draw() that puts a page of tiles on the screen. SHEET stands before.

const A_PAGE = 60; // tiles on the screen at once
const CONFUSIONS = 12; // shown before a person asks for all of them
const [NUMBER, FILE, ERROR, TOP, EXPECTED, SHARE] = [0, 1, 2, 3, 4, 5]; // places in a row
const { labels, facts, rows } = SHEET;
const find = (selector) => document.querySelector(selector);

function make(tag, properties, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A share for people, as Python prints it: "90 %", "0.4 %", "<0.1 %". */
function percent(share) {
  const points = 100 * share;
  if (points >= 9.95) return `${Math.floor(points + 0.5)} %`;
  return points >= 0.05 ? `${(Math.floor(10 * points + 0.5) / 10).toFixed(1)} %` : "<0.1 %";
}

const counted = (count, one, more) => `${count.toLocaleString("en")} ${count === 1 ? one : more}`;
const saidOf = (row) => row[TOP][0]?.[0] ?? -1;
const sureOf = (row) => row[TOP][0]?.[1] ?? -1;
const isBroken = (row) => Boolean(row[ERROR]);
const isJudged = (row) => row[EXPECTED] >= 0 && !isBroken(row);
const isWrong = (row) => isJudged(row) && row[EXPECTED] !== saidOf(row);
const pairOf = (row) => `${row[EXPECTED]}-${saidOf(row)}`;

/** Where a photo's file lies; `place` in pages.py. */
function address(kind, row, ending) {
  const number = String(row[NUMBER]).padStart(6, "0");
  return `${kind}/${String(Math.floor(row[NUMBER] / 1000)).padStart(3, "0")}/${number}.${ending}`;
}

// ---- what can be chosen

const judged = rows.filter(isJudged);
const wrong = judged.filter(isWrong);
const broken = rows.filter(isBroken);
const byNumber = (a, b) => a[NUMBER] - b[NUMBER];
const last = (order) => (a, b) => isBroken(a) - isBroken(b) || order(a, b) || byNumber(a, b);
const ORDERS = {
  ...(judged.length ? { mistakes: ["Surest mistakes", last((a, b) => isWrong(b) - isWrong(a) || sureOf(b) - sureOf(a))] } : {}),
  table: ["As in the table", byNumber],
  least: ["Least sure", last((a, b) => sureOf(a) - sureOf(b))],
  most: ["Most sure", last((a, b) => sureOf(b) - sureOf(a))],
  label: ["By label", last((a, b) => names(a).localeCompare(names(b), "en") || sureOf(b) - sureOf(a))],
};
const SHOWN = {
  all: [`all ${rows.length.toLocaleString("en")}`, () => true],
  ...(judged.length ? { wrong: [`the ${wrong.length.toLocaleString("en")} wrong ones`, isWrong] } : {}),
  ...(broken.length ? { broken: [`the ${broken.length.toLocaleString("en")} that can't be read`, isBroken] } : {}),
};

function names(row) {
  return labels[saidOf(row)] ?? "";
}

/** Those that were confused: [pair, rows], the most frequent first. */
function confusions() {
  const pairs = new Map();
  for (const row of wrong) pairs.set(pairOf(row), [...(pairs.get(pairOf(row)) ?? []), row]);
  return [...pairs].sort(([, a], [, b]) => b.length - a.length || byNumber(a[0], b[0]));
}

// ---- the state, which stands in the address

const usual = { order: Object.keys(ORDERS)[0], show: "all", find: "", pair: "", page: 0, open: false };
const state = { ...usual };

function read() {
  const given = new URLSearchParams(location.hash.slice(1));
  const one = (name, values) => (Object.hasOwn(values, given.get(name) ?? "") ? given.get(name) : usual[name]);
  const page = Math.max(0, Number.parseInt(given.get("page"), 10) || 0);
  Object.assign(state, { order: one("order", ORDERS), show: one("show", SHOWN), find: given.get("find") ?? "", pair: given.get("pair") ?? "", page });
}

function write() {
  const told = Object.entries(state).filter(([name, value]) => name !== "open" && value !== usual[name]);
  history.replaceState(null, "", told.length ? `#${new URLSearchParams(told)}` : location.pathname + location.search);
}

function set(changes) {
  Object.assign(state, { page: 0 }, changes);
  write();
  draw();
}

/** The rows that are meant, in their order. */
function meant() {
  const words = state.find.toLowerCase().trim();
  const fits = (row) => !words || [row[FILE], names(row), labels[row[EXPECTED]] ?? ""].some((text) => text.toLowerCase().includes(words));
  return rows.filter((row) => SHOWN[state.show][1](row) && (!state.pair || (isWrong(row) && pairOf(row) === state.pair)) && fits(row)).sort(ORDERS[state.order][1]);
}

// ---- painting

function tile(row) {
  const file = make("p", { className: "file", textContent: row[FILE], title: row[FILE] });
  if (isBroken(row)) return make("li", { className: "tile" }, make("p", { className: "broken", textContent: row[ERROR] }), file);
  const said = names(row);
  const picture = make("img", { loading: "lazy", decoding: "async", width: 256, height: 256, alt: "", src: address("thumbs", row, "jpg") });
  const answer = make("p", { className: "answer" }, make("span", { textContent: said, title: said }), make("span", { textContent: percent(sureOf(row)) }));
  const link = make("a", { href: address("pages", row, "html") }, picture, answer);
  const bar = make("p", { className: "sure" }, make("i"));
  bar.setAttribute("aria-hidden", "true");
  bar.firstChild.style.width = `${100 * sureOf(row)}%`;
  const made = make("li", { className: "tile" }, link, bar);
  if (isWrong(row)) {
    const expected = labels[row[EXPECTED]];
    const text = `✗ expected ${expected}, ${percent(row[SHARE])}`;
    const duel = make("a", { href: `${address("pages", row, "html")}#duel`, textContent: "Duel", title: `Why ${said} and not ${expected}?` });
    duel.setAttribute("aria-label", `Duel: why ${said} and not ${expected}?`);
    made.append(make("p", { className: "wrong" }, make("span", { textContent: text, title: text }), duel));
  }
  made.append(file);
  return made;
}

/** The tiles, each label under its name where they are in that order. */
function tiles(shown, all) {
  if (state.order !== "label") return shown.map(tile);
  const sizes = new Map();
  for (const row of all) sizes.set(names(row), (sizes.get(names(row)) ?? 0) + 1);
  const heading = (row) =>
    make("li", { className: "group" }, make("h2", { textContent: names(row) || "Can't be read" }), make("span", { textContent: counted(sizes.get(names(row)), "photo", "photos") }));
  return shown.flatMap((row, place) => [...(place === 0 || names(row) !== names(shown[place - 1]) ? [heading(row)] : []), tile(row)]);
}

function drawConfusions() {
  const pairs = confusions();
  find(".confusions").hidden = !pairs.length;
  const shown = state.open ? pairs : pairs.slice(0, CONFUSIONS);
  find(".confusions ol").replaceChildren(
    ...shown.map(([pair, those]) => {
      const text = `${labels[those[0][EXPECTED]]} → ${names(those[0])}`;
      const button = make("button", { type: "button", title: text }, make("b", { textContent: those.length }), make("span", { textContent: text }));
      button.setAttribute("aria-pressed", String(pair === state.pair));
      button.addEventListener("click", () => set({ pair: pair === state.pair ? "" : pair }));
      return make("li", {}, button);
    }),
  );
  const more = find(".more");
  more.hidden = pairs.length <= CONFUSIONS;
  more.textContent = state.open ? "Fewer" : `All ${pairs.length}`;
}

function draw() {
  const all = meant();
  const pages = Math.max(1, Math.ceil(all.length / A_PAGE));
  state.page = Math.min(state.page, pages - 1);
  const start = state.page * A_PAGE;
  const shown = all.slice(start, start + A_PAGE);
  find(".tiles").replaceChildren(...tiles(shown, all));
  find(".nothing").hidden = all.length > 0;
  find(".range").textContent = all.length ? `${start + 1} to ${start + shown.length} of ${all.length.toLocaleString("en")}` : "none";
  find(".turn").hidden = pages === 1;
  find(".turn span").textContent = `Page ${state.page + 1} of ${pages}`;
  find("[name=back]").disabled = state.page === 0;
  find("[name=next]").disabled = state.page === pages - 1;
  find("[name=order]").value = state.order;
  find("[name=show]").value = state.show;
  if (find("[name=find]").value !== state.find) find("[name=find]").value = state.find;
  for (const [place, button] of [...document.querySelectorAll(".confusions li button")].entries()) {
    button.setAttribute("aria-pressed", String(confused[place][0] === state.pair));
  }
  const [, pair] = confused.find(([name]) => name === state.pair) ?? [];
  find(".pair").hidden = !pair;
  if (pair) find(".pair").textContent = `${labels[pair[0][EXPECTED]]} → ${names(pair[0])} ✕`;
}

const confused = confusions();
const select = (name, options) =>
  find(`[name=${name}]`).replaceChildren(...Object.entries(options).map(([value, [text]]) => make("option", { value, textContent: text })));
select("order", ORDERS);
select("show", SHOWN);
find("h1").textContent = counted(rows.length, "photo", "photos");
find(".facts").textContent = facts.join(" · ");
if (judged.length) {
  const right = judged.length - wrong.length;
  find(".tally").append(make("b", { textContent: percent(right / judged.length) }), make("span", { textContent: ` as expected, ${right.toLocaleString("en")} of ${judged.length.toLocaleString("en")}` }));
}
find("form").addEventListener("submit", (event) => event.preventDefault());
find("[name=order]").addEventListener("change", ({ target }) => set({ order: target.value }));
find("[name=show]").addEventListener("change", ({ target }) => set({ show: target.value, pair: "" }));
find("[name=find]").addEventListener("input", ({ target }) => set({ find: target.value }));
find(".pair").addEventListener("click", () => set({ pair: "" }));
find(".nothing button").addEventListener("click", () => set({ ...usual }));
find(".more").addEventListener("click", () => {
  state.open = !state.open;
  drawConfusions();
});
const turn = (by) => () => {
  set({ page: state.page + by });
  scrollTo(0, find(".tools").offsetTop);
};
find("[name=back]").addEventListener("click", turn(-1));
find("[name=next]").addEventListener("click", turn(1));
addEventListener("hashchange", () => {
  read();
  draw();
});
read();
drawConfusions();
draw();
