// Boxes, polygons and words on a canvas that lies over a picture. Places are 0..1 of the picture.

export const COLOURS = {
  person: "#ffb020",
  vehicle: "#4db2ff",
  animal: "#5bd68f",
  package: "#d68cff",
  motion: "#ff5d73",
  zone: "#2dd4bf",
  private: "#94a3b8",
  counted: "#ffffff",
  passed: "#b9c4c3",
};

// The canvas, empty, at the size at which it is shown, in sharp pixels; what is drawn then counts in CSS pixels.
export function fit(canvas) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height };
}

export function tag(context, words, x, y, colour, width) {
  context.font = "600 12px system-ui, sans-serif";
  const wide = context.measureText(words).width + 10;
  const left = Math.max(0, Math.min(x, width - wide));
  const top = Math.max(0, y - 19);
  context.fillStyle = colour;
  context.fillRect(left, top, wide, 19);
  context.fillStyle = "#101418";
  context.fillText(words, left + 5, top + 13.5);
}

export function drawBox(context, [x1, y1, x2, y2], width, height, kind, words = "", { thick = 2, dashes = [] } = {}) {
  const colour = COLOURS[kind];
  context.strokeStyle = colour;
  context.lineWidth = thick;
  context.setLineDash(dashes);
  context.strokeRect(x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height);
  context.setLineDash([]);
  if (words) tag(context, words, x1 * width - 1, y1 * height, colour, width);
}

export function drawPolygon(context, points, width, height, kind, words = "") {
  const colour = COLOURS[kind];
  context.beginPath();
  for (const [x, y] of points) context.lineTo(x * width, y * height);
  context.closePath();
  context.fillStyle = `${colour}22`;
  context.fill();
  context.strokeStyle = colour;
  context.lineWidth = 1.5;
  context.stroke();
  if (words) {
    const [x, y] = points.reduce((low, point) => (point[1] < low[1] ? point : low));
    tag(context, words, x * width, y * height, colour, width);
  }
}

export function drawPlaces(context, camera, width, height) {
  for (const zone of camera.zones) drawPolygon(context, zone.polygon, width, height, "zone", zone.id);
  for (const area of camera.private) drawPolygon(context, area, width, height, "private");
}

// What moves in a frame: its cells, and boxes around them.
export function drawMotion(context, { cells, moving }, width, height) {
  if (cells) drawCells(context, cells, width, height);
  for (const box of moving) drawBox(context, box, width, height, "motion", "", { thick: 1, dashes: [4, 3] });
}

// Words under a line, each at its x; none covers another.
export function drawMarks(context, marks, width, y) {
  let free = 0;
  for (const [x, words] of marks) {
    const wide = context.measureText(words).width;
    const left = Math.min(Math.max(0, x - wide / 2), width - wide);
    if (left < free) continue;
    context.fillText(words, left, y);
    free = left + wide + 8;
  }
}

function drawCells(context, cells, width, height) {
  const bits = atob(cells.bits);
  const wide = width / cells.columns;
  context.fillStyle = `${COLOURS.motion}66`;
  for (let row = 0; row < cells.rows; row += 1) {
    const top = Math.round((row * height) / cells.rows);
    const high = Math.round(((row + 1) * height) / cells.rows) - top; // rows that overlap would show as lines
    let begun = -1;
    for (let column = 0; column <= cells.columns; column += 1) {
      const place = row * cells.columns + column;
      const set = column < cells.columns && (bits.charCodeAt(place >> 3) >> (7 - (place & 7))) & 1;
      if (set && begun < 0) begun = column;
      if (!set && begun >= 0) {
        context.fillRect(begun * wide, top, (column - begun) * wide, high);
        begun = -1;
      }
    }
  }
}
