// Polygons as they are drawn: corners [x, y] in 0..1 of the picture.

export const clamp = (value) => Math.min(1, Math.max(0, value));
export const rounded = ([x, y]) => [x, y].map((value) => Math.round(clamp(value) * 1000) / 1000);
export const middle = ([x1, y1], [x2, y2]) => rounded([(x1 + x2) / 2, (y1 + y2) / 2]);

// All corners by as much, as far as the picture goes.
export function moved(polygon, dx, dy) {
  const limit = (values, by) => Math.max(-Math.min(...values), Math.min(1 - Math.max(...values), by));
  const across = limit(polygon.map(([x]) => x), dx); // biome-ignore format: side by side
  const down = limit(polygon.map(([, y]) => y), dy); // biome-ignore format: side by side
  return polygon.map(([x, y]) => rounded([x + across, y + down]));
}

// A rectangle in the middle, a little further on for each area that is there.
export function rectangle(count) {
  const by = 0.04 * (count % 6);
  const [left, top, right, bottom] = [0.3 + by, 0.3 + by, 0.6 + by, 0.65 + by].map((v) => Math.round(v * 100) / 100);
  return [[left, top], [right, top], [right, bottom], [left, bottom]]; // biome-ignore format: one line
}

export function freeName(taken) {
  let count = 1;
  while (taken.includes(`zone_${count}`)) count += 1;
  return `zone_${count}`;
}

const side = ([ax, ay], [bx, by], [cx, cy]) => Math.sign((bx - ax) * (cy - ay) - (by - ay) * (cx - ax));

const between = (a, b, c) =>
  Math.min(a[0], b[0]) <= c[0] &&
  c[0] <= Math.max(a[0], b[0]) &&
  Math.min(a[1], b[1]) <= c[1] &&
  c[1] <= Math.max(a[1], b[1]);

function meet(a, b, c, d) {
  const [one, two, three, four] = [side(a, b, c), side(a, b, d), side(c, d, a), side(c, d, b)];
  if (one !== two && three !== four) return true;
  return (
    (!one && between(a, b, c)) ||
    (!two && between(a, b, d)) ||
    (!three && between(c, d, a)) ||
    (!four && between(c, d, b))
  );
}

// Whether sides that are no neighbours meet. The node looks more closely; this is for the colour while drawing.
export function crosses(polygon) {
  const count = polygon.length;
  for (let i = 0; i < count; i++) {
    for (let j = i + 2; j < count; j++) {
      if (i === 0 && j === count - 1) continue;
      if (meet(polygon[i], polygon[i + 1], polygon[j], polygon[(j + 1) % count])) return true;
    }
  }
  return false;
}
