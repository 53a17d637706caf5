// Moving the frame: the outline of what the model sees is dragged and scaled on the photo. While it
// moves, the model glances through it; when it rests, the photo is explained anew.

const SMALLEST = 0.05; // of the photo's shorter side

/** The eight places at which a frame is gripped: {x, y} with -1, 0, 1 for its edges and middle. */
const GRIPS = [-1, 0, 1].flatMap((y) => [-1, 0, 1].map((x) => ({ x, y }))).filter(({ x, y }) => x || y);

/** Where a grip of a frame is. */
function placeOfGrip([left, top, right, bottom], { x, y }) {
  return [left + ((x + 1) / 2) * (right - left), top + ((y + 1) / 2) * (bottom - top)];
}

/** The frame moved by dx, dy, and kept within the photo. */
function movedFrame([left, top, right, bottom], dx, dy, { width, height }) {
  const [w, h] = [right - left, bottom - top];
  const x = within(left + dx, width - w);
  const y = within(top + dy, height - h);
  return [x, y, x + w, y + h];
}

/** The frame with a grip dragged by dx, dy: corners keep its shape, edges change it. */
function scaledFrame(frame, grip, dx, dy, { width, height }) {
  const [left, top, right, bottom] = frame;
  const [w, h] = [right - left, bottom - top];
  const least = SMALLEST * Math.min(width, height);
  // The opposite side stays where it is, so there is room as far as the photo's edge.
  const mostWidth = grip.x < 0 ? right : width - left;
  const mostHeight = grip.y < 0 ? bottom : height - top;
  let newWidth = within(w + grip.x * dx, mostWidth);
  let newHeight = within(h + grip.y * dy, mostHeight);
  if (grip.x && grip.y) {
    const wished = Math.max(newWidth / w, newHeight / h, least / Math.min(w, h));
    const factor = Math.min(wished, mostWidth / w, mostHeight / h);
    [newWidth, newHeight] = [w * factor, h * factor];
  }
  newWidth = Math.max(newWidth, Math.min(least, mostWidth));
  newHeight = Math.max(newHeight, Math.min(least, mostHeight));
  return [
    grip.x < 0 ? right - newWidth : left,
    grip.y < 0 ? bottom - newHeight : top,
    grip.x < 0 ? right : left + newWidth,
    grip.y < 0 ? bottom : top + newHeight,
  ];
}

/** The frame larger or smaller about its middle, in its own shape. */
function grownFrame([left, top, right, bottom], factor, { width, height }) {
  const [w, h] = [right - left, bottom - top];
  const least = (SMALLEST * Math.min(width, height)) / Math.min(w, h);
  const by = Math.min(Math.max(factor, least), width / w, height / h);
  const [x, y] = [(left + right - w * by) / 2, (top + bottom - h * by) / 2];
  return movedFrame([x, y, x + w * by, y + h * by], 0, 0, { width, height });
}

/** Whole pixels of a picture that is `factors` times the display copy: at least one each way. */
function framePixels([left, top, right, bottom], { width, height }, across = 1, down = 1) {
  const x = Math.min(Math.floor(left * across), Math.round(width * across) - 1);
  const y = Math.min(Math.floor(top * down), Math.round(height * down) - 1);
  return [x, y, Math.max(x + 1, Math.round(right * across)), Math.max(y + 1, Math.round(bottom * down))];
}

/** Paint the outline where it is now, with its grips. */
function paintFrame(context, frame) {
  outline(context, frame, (half) => {
    for (const grip of GRIPS) {
      const [x, y] = placeOfGrip(frame, grip);
      context.fillRect(x - half, y - half, 2 * half, 2 * half);
    }
  });
}

/** What moves the frame: a tool for the pointer, and steps for the keyboard. */
function framingOf(viewer) {
  const { state, canvas, host } = viewer;
  let running = false; // a glance is under way
  let next = null; // the frame after it; those between are dropped
  let rest; // timer of the keyboard: a frame that rests is explained
  let origin = null; // the scene before the frame began to move, and what was known of it

  // (Where the model sees more than the photo, the frame begins at the photo's edges.)
  const frameNow = () => state.frame ?? onPicture(state.scene.box, state.photo);

  async function look(frame) {
    next = frame;
    if (running) return;
    running = true;
    try {
      while (next && state.frame) {
        const { scene } = state;
        const box = framePixels(next, canvas);
        next = null;
        const { layer, method, target, versus, strength } = questionOf(state, {});
        const answer = await host.look({ id: scene.id, layer, method, target, versus, strength, framing: box.join(",") });
        if (state.scene?.id !== scene.id || !state.frame) return; // explained or left meanwhile
        if (!answer.maps) {
          viewer.say(answer.error);
          return;
        }
        viewer.glance(box, answer);
      }
    } finally {
      running = false;
    }
  }

  function moveTo(frame) {
    clearTimeout(rest);
    if (!state.frame) origin = { scene: state.scene, known: state.known };
    viewer.set({ frame, cell: null, answer: null });
    look(frame);
  }

  /** Explain the photo in this frame: the text of a box in pixels of the photo, or a name. */
  async function settle(text) {
    next = null;
    const { scene } = state;
    if (await viewer.open({ framing: text })) return;
    if (state.frame && state.scene.id === scene.id) await viewer.show(origin.scene, { known: origin.known });
  }

  /** Back to where the frame was before it moved; the maps from there are still here. */
  async function leave() {
    clearTimeout(rest);
    next = null;
    if (state.frame) viewer.begin?.(); // what is asked of this frame is void
    if (state.frame) await viewer.show(origin.scene, { known: origin.known });
  }

  function settleHere() {
    const [width, height] = state.scene.size;
    const box = framePixels(frameNow(), canvas, width / canvas.width, height / canvas.height);
    settle(box.join(","));
  }

  const tool = {
    down({ x, y }, scale) {
      const frame = frameNow();
      const reach = 14 * scale;
      const near = (grip) => {
        const [gx, gy] = placeOfGrip(frame, grip);
        return Math.hypot(gx - x, gy - y);
      };
      const grip = GRIPS.reduce((best, each) => (near(each) < near(best) ? each : best));
      const inside = x >= frame[0] && x <= frame[2] && y >= frame[1] && y <= frame[3];
      if (near(grip) <= reach) return { x, y, frame, grip };
      return inside ? { x, y, frame } : null;
    },
    move(start, { x, y }) {
      const [dx, dy] = [x - start.x, y - start.y];
      moveTo(start.grip ? scaledFrame(start.frame, start.grip, dx, dy, canvas) : movedFrame(start.frame, dx, dy, canvas));
    },
    up() {
      if (state.frame) settleHere();
    },
  };

  const step = (change) => {
    if (!canBeAsked(viewer)) return;
    moveTo(change(frameNow()));
    rest = setTimeout(settleHere, 400);
  };
  return {
    tool,
    now: frameNow,
    shift: (dx, dy) => step((frame) => movedFrame(frame, dx * canvas.width, dy * canvas.height, canvas)),
    grow: (factor) => step((frame) => grownFrame(frame, factor, canvas)),
    leave,
    reset: () => {
      clearTimeout(rest);
      // Only a frame that was moved by hand: what was chosen from the list stays.
      if (!state.frame && valuesOf("framing").includes(state.scene.framing)) return;
      if (state.tool === "frame") state.tool = "read"; // or the list would say that the frame is one's own
      settle(optionOf("framing").default);
    },
  };
}
