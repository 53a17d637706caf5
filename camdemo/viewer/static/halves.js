// Two pictures as one: how they stand beside each other, on the canvas and in what is taken away.

const GAP = 0.02; // between the two pictures, of the larger side
const HEAD = 28; // pixels above each, where stands what it is

/** The entry of a label by its name: another model may have it under another index. */
function labelNamed(scene, name) {
  return scene.labels.find(({ label }) => label === name);
}

/**
 * Two pictures beside each other and equally high, or one above the other and equally wide: whichever
 * is larger in an area; above each `head` of the area's pixels stay free. {width, height, free, halves:
 * [[left, top, width, height], ...], factor} in pixels, of which `factor` make one of the area's.
 */
function halvesOf([a, b], area, head = HEAD) {
  const gap = Math.round(GAP * Math.max(a.width, a.height, b.width, b.height));
  const [height, width] = [Math.max(a.height, b.height), Math.max(a.width, b.width)];
  const across = [a, b].map((one) => Math.max(1, Math.round((one.width * height) / one.height)));
  const down = [a, b].map((one) => Math.max(1, Math.round((one.height * width) / one.width)));
  const headed = (fullWidth, fullHeight, rows, halvesBelow) => {
    const room = Math.max(1, area.height - rows * head);
    const factor = Math.max(fullWidth / area.width, fullHeight / room);
    const free = Math.round(head * factor);
    return { width: fullWidth, height: fullHeight + rows * free, factor, free, halves: halvesBelow(free) };
  };
  const beside = headed(across[0] + gap + across[1], height, 1, (free) => [
    [0, free, across[0], height],
    [across[0] + gap, free, across[1], height],
  ]);
  const above = headed(width, down[0] + gap + down[1], 2, (free) => [
    [0, free, width, down[0]],
    [0, free + down[0] + gap + free, width, down[1]],
  ]);
  const shown = ({ halves, factor }) => halves.reduce((sum, [, , w, h]) => sum + w * h, 0) / factor ** 2;
  return shown(beside) >= shown(above) ? beside : above;
}

/** Two pictures as they stand on the canvas, each under a line that says what it is; `scale` in size. */
function drawBoth(context, pictures, told, { halves, free }, [x, y], scale = 1) {
  const size = (free * scale) / 2;
  Object.assign(context, { fillStyle: "#111827", font: `${size}px system-ui, sans-serif`, textBaseline: "middle" });
  halves.forEach((half, i) => {
    const [left, top, width, height] = half.map((length) => length * scale);
    context.drawImage(pictures[i], x + left, y + top, width, height);
    context.fillText(`${"AB"[i]} · ${told[i]}`, x + left, y + top - size, width);
  });
}

/** Two pictures as one. */
function joined(pictures, told, area) {
  const layout = halvesOf(pictures, area);
  const context = make("canvas", { width: layout.width, height: layout.height }).getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, layout.width, layout.height);
  drawBoth(context, pictures, told, layout, [0, 0]);
  return context.canvas;
}

/** A text in lines of at most a width. */
function linesOf(context, text, width) {
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = lines.at(-1) ? `${lines.at(-1)} ${word}` : word;
    if (context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * A figure for slides of two that are compared, 1600 x 900: the pictures and what is told of each, the
 * labels, the difference in words, and the `caption` of each scene and state.
 */
function figureOfTwo(states, { title, words }, told, pictures, caption) {
  const context = make("canvas", { width: 1600, height: 900 }).getContext("2d");
  context.fillStyle = "#ffffff";
  context.fillRect(0, 0, 1600, 900);
  const layout = halvesOf(pictures, { width: 1210, height: 630 }, 44);
  drawBoth(context, pictures, told, layout, [30, 92], 1 / layout.factor);
  const write = (text, x, y, font, width, align = "left", fillStyle = "#111827") => {
    Object.assign(context, { font: `${font} system-ui, sans-serif`, textAlign: align, textBaseline: "middle", fillStyle });
    context.fillText(text, x, y, width);
  };
  write(title, 30, 50, "600 40px", 1540);
  states[0].scene.labels.slice(0, 7).forEach((entry, i) => {
    const top = 130 + 86 * i;
    write(entry.label, 1280, top, `${entry.index === states[0].target ? "600 " : ""}22px`, 290);
    states.forEach(({ scene }, side) => {
      const y = top + 26 + 22 * side;
      const share = labelNamed(scene, entry.label)?.probability;
      write("AB"[side], 1280, y, "18px", 20);
      context.fillStyle = side ? "#6b7280" : "#0f766e";
      context.fillRect(1304, y - 5, Math.max(2, 180 * (share ?? 0)), 10);
      write(share === undefined ? "" : percentText(share), 1570, y, "18px", 80, "right");
    });
  });
  let y = 92 + layout.height / layout.factor + 36;
  context.font = "24px system-ui, sans-serif";
  for (const line of linesOf(context, words, 1210)) {
    write(line, 30, y, "24px", 1210);
    y += 34;
  }
  states.forEach((state, i) => write(`${"AB"[i]}: ${caption(state.scene, state)}`, 30, 842 + 28 * i, "18px", 1540, "left", "#4b5563"));
  return context.canvas;
}
