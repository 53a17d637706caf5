// Regions of the photo that a person hides: how they are drawn, and the mask the server gets.
// A region is {rects: [[left, top, right, bottom], ...]} or {points: [[x, y], ...], radius}, in
// pixels of the display copy.

/** A region with its numbers as an address and a file write them: hundredths of a pixel. */
function roundedRegion({ rects, points, radius }) {
  const rounded = (value) => Math.round(100 * value) / 100;
  const each = (places) => places.map((place) => place.map(rounded));
  return points ? { points: each(points), radius: rounded(radius) } : { rects: each(rects) };
}

/**
 * Regions in pixels of the photo, which is `across` and `down` times the copy: {boxes} with whole
 * edges and at least a pixel each way, or {points, radius} of a brush.
 */
function regionsInPhoto(regions, across, down) {
  const boxOf = (edges) => {
    const [left, top, right, bottom] = edges.map((edge, i) => Math.round(edge * (i % 2 ? down : across)));
    return { left, top, right: Math.max(right, left + 1), bottom: Math.max(bottom, top + 1) };
  };
  return regions.map(({ rects, points, radius }) => points
    ? { points: points.map(([x, y]) => [x * across, y * down]), radius: radius * across }
    : { boxes: rects.map(boxOf) });
}

/** Draw regions in the context's colour. */
function traceRegions(context, regions) {
  for (const { rects = [], points = [], radius } of regions) {
    for (const [left, top, right, bottom] of rects) {
      context.fillRect(left, top, right - left, bottom - top);
    }
    if (!points.length) continue;
    Object.assign(context, { lineWidth: 2 * radius, lineCap: "round", lineJoin: "round" });
    context.beginPath();
    context.moveTo(...points[0]);
    for (const [x, y] of points) context.lineTo(x + 0.01, y); // (a point alone must be a line, too)
    context.stroke();
  }
}

/**
 * The network's input pixels that lie in a region by at least half: base64 of their bits, row by
 * row; null when there are none. Bars beside the photo are never among them.
 */
function maskOf(regions, { box: [left, top, right, bottom], part, input_size: [width, height] }) {
  const context = make("canvas", { width, height }).getContext("2d");
  context.beginPath();
  context.rect(part[0], part[1], part[2] - part[0], part[3] - part[1]);
  context.clip();
  context.scale(width / (right - left), height / (bottom - top));
  context.translate(-left, -top);
  traceRegions(context, regions);
  const { data } = context.getImageData(0, 0, width, height);
  const bytes = new Uint8Array((width * height + 7) >> 3);
  for (let i = 0; i < width * height; i++) {
    if (data[4 * i + 3] >= 128) bytes[i >> 3] |= 128 >> (i & 7);
  }
  return bytes.some((byte) => byte) ? btoa(String.fromCharCode(...bytes)) : null;
}

/** What a hidden part is shown as: the server's fillings (camdemo/trust/hiding.py), by eye. */
const FILLINGS = {
  blur(context, photo, { box: [left, top, right, bottom], mean }, { width, height }) {
    // Down to a few pixels and up again is a blur that every browser has.
    const small = make("canvas", { width: 16, height: 16 });
    FILLINGS.mean(small.getContext("2d"), photo, { mean }, small); // which lies beside the photo, if anything
    small.getContext("2d").drawImage(photo, left, top, right - left, bottom - top, 0, 0, 16, 16);
    context.imageSmoothingQuality = "high";
    context.drawImage(small, 0, 0, width, height);
  },
  mean(context, _photo, { mean }, { width, height }) {
    context.fillStyle = `rgb(${mean})`; // of the photos that the model was trained on
    context.fillRect(0, 0, width, height);
  },
  noise(context, _photo, _scene, { width, height }) {
    const image = new ImageData(224, 224);
    new Uint32Array(image.data.buffer).forEach((_, i, pixels) => {
      let mixed = Math.imul(i + 1, 0x9e3779b1); // not Math.random: the same at each repaint
      mixed = Math.imul(mixed ^ (mixed >>> 15), 0x85ebca6b);
      const grey = (mixed >>> 16) & 255;
      pixels[i] = (255 << 24) | (grey << 16) | (grey << 8) | grey;
    });
    const small = make("canvas", { width: 224, height: 224 });
    small.getContext("2d").putImageData(image, 0, 0);
    context.imageSmoothingEnabled = false;
    context.drawImage(small, 0, 0, width, height);
  },
};

/** Paint what is hidden, much like what the model gets, and outline the regions that are boxes. */
function paintHidden(context, { fill, keep, photo, scene }, regions) {
  const { box } = scene;
  const size = { width: box[2] - box[0], height: box[3] - box[1] };
  const [cover, shape] = [make("canvas", size).getContext("2d"), make("canvas", size).getContext("2d")];
  FILLINGS[fill](cover, photo, scene, size);
  shape.translate(-box[0], -box[1]);
  traceRegions(shape, regions);
  cover.globalCompositeOperation = keep ? "destination-out" : "destination-in";
  cover.drawImage(shape.canvas, 0, 0);
  context.drawImage(cover.canvas, box[0], box[1]);
  const line = Math.max(1, photo.width / 640);
  for (const [colour, dash] of [["#000000", []], ["#ffffff", [4 * line, 4 * line]]]) {
    Object.assign(context, { strokeStyle: colour, lineWidth: line });
    context.setLineDash(dash);
    for (const { rects = [] } of regions) {
      for (const [left, top, right, bottom] of rects) context.strokeRect(left, top, right - left, bottom - top);
    }
  }
  context.setLineDash([]);
}
