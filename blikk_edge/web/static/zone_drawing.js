// Polygons over a picture that are drawn and changed by mouse, touch and keyboard.

import { html, useEffect, useRef, useState } from "./vendor/preact.js";
import { t } from "./words.js";
import { crosses, middle, moved, rounded } from "./zone_shapes.js";

const CLOSE_PX = 16; // so near the first corner a click closes the area
const STILL_PX = 3; // a pointer that moves less was a click
const STEP = 0.01;
const FINE = 0.002;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function useSize(element) {
  const [size, setSize] = useState([0, 0]);
  useEffect(() => {
    const look = () => setSize([element.current.clientWidth, element.current.clientHeight]);
    const watcher = new ResizeObserver(look);
    watcher.observe(element.current);
    look();
    return () => watcher.disconnect();
  }, [element]);
  return size;
}

// Corners of the area that is being drawn, and where the pointer is.
function useSketch(drawing) {
  const [sketch, setSketch] = useState([]);
  const [at, setAt] = useState(null);
  useEffect(() => {
    setSketch([]);
    setAt(null);
  }, [drawing]);
  return { sketch, setSketch, at, setAt };
}

function Handles({ area, size, hold, keys, insert, corner, setCorner }) {
  const [width, height] = size;
  const place = ([x, y]) => ({ cx: x * width, cy: y * height });
  const percent = ([x, y]) => ({ x: Math.round(x * 100), y: Math.round(y * 100) });
  return html`${area.polygon.map((point, index) => {
    const next = area.polygon[(index + 1) % area.polygon.length];
    const between = middle(point, next);
    return html`<g key=${`m${index}`} class="between" onPointerDown=${(event) => insert(event, index, between)}>
      <circle class="reach" ...${place(between)} r="14" /><circle class="dot" ...${place(between)} r="5" /></g>`;
  })}
  ${area.polygon.map(
    (
      point,
      index,
    ) => html`<g key=${`c${index}`} class=${corner === index ? "corner held" : "corner"} tabindex="0" role="button"
      data-corner=${index} onFocus=${() => setCorner(index)}
      aria-label=${t("zones.corner", { number: index + 1, ...percent(point) })}
      onPointerDown=${(event) => hold(event, index)} onKeyDown=${(event) => keys(event, index)}>
      <circle class="reach" ...${place(point)} r="20" /><circle class="dot" ...${place(point)} r="8" /></g>`,
  )}`;
}

function Sketch({ sketch, at, kind, size }) {
  if (!sketch.length) return null;
  const [width, height] = size;
  const line = [...sketch, ...(at ? [at] : [])].map(([x, y]) => `${x * width},${y * height}`).join(" ");
  return html`<g class=${`sketch ${kind}`} pointer-events="none"><polyline points=${line} />
    ${sketch.map(([x, y], index) => html`<circle key=${index} class=${index ? "dot" : "dot first"} cx=${x * width} cy=${y * height} r=${index ? 6 : 9} />`)}
  </g>`;
}

function Name({ area, size }) {
  const [x, y] = area.polygon.reduce((low, point) => (point[1] < low[1] ? point : low));
  const wide = area.name.length * 7.4 + 12;
  const left = Math.max(0, Math.min(x * size[0], size[0] - wide));
  const top = Math.max(0, y * size[1] - 22);
  return html`<g class="name" pointer-events="none"><rect x=${left} y=${top} width=${wide} height="20" rx="4" />
    <text x=${left + 6} y=${top + 14.5}>${area.name}</text></g>`;
}

// Moves a corner, or with index null the whole area, while the pointer is down.
function useDrag({ areas, change, point, size }) {
  const [drag, setDrag] = useState(null); // {key, index, from, start, polygon}
  const begin = (event, area, index, polygon = area.polygon) => {
    if (event.button) return;
    event.stopPropagation();
    event.currentTarget.closest("svg").setPointerCapture(event.pointerId);
    setDrag({ key: area.key, index, from: point(event), start: polygon, polygon, fresh: polygon !== area.polygon });
  };
  const insert = (event, area, index, between) =>
    begin(event, area, index + 1, area.polygon.toSpliced(index + 1, 0, between));
  const move = (event) => {
    const [x, y] = point(event);
    const [dx, dy] = [x - drag.from[0], y - drag.from[1]];
    if (Math.hypot(dx * size[0], dy * size[1]) < STILL_PX && drag.polygon === drag.start) return;
    const corner = drag.index === null ? null : drag.start[drag.index];
    const polygon = corner
      ? drag.start.map((each, index) => (index === drag.index ? rounded([corner[0] + dx, corner[1] + dy]) : each))
      : moved(drag.start, dx, dy);
    setDrag({ ...drag, polygon });
  };
  const end = () => {
    if (drag.fresh || drag.polygon !== drag.start) {
      change(areas.map((area) => (area.key === drag.key ? { ...area, polygon: drag.polygon } : area)));
    }
    setDrag(null);
  };
  return { drag, begin, insert, move, end, drop: () => setDrag(null) };
}

// What a key does to a polygon at one of its corners, and at which corner one is then; null where it does nothing.
function keyed(polygon, corner, { key, shiftKey }) {
  if (ARROWS[key]) {
    const by = shiftKey ? FINE : STEP;
    const place = rounded(polygon[corner].map((value, axis) => value + ARROWS[key][axis] * by));
    return { polygon: polygon.with(corner, place), corner };
  }
  if ((key === "Delete" || key === "Backspace") && polygon.length > 3) {
    return { polygon: polygon.toSpliced(corner, 1), corner: Math.max(0, corner - 1) };
  }
  if (key === "Insert" || key === "+") {
    const between = middle(polygon[corner], polygon[(corner + 1) % polygon.length]);
    return { polygon: polygon.toSpliced(corner + 1, 0, between), corner: corner + 1 };
  }
  return null;
}

export function Drawing({ areas, selected, select, drawing, add, change, corner, setCorner }) {
  const svg = useRef(null);
  const size = useSize(svg);
  const [width, height] = size;
  const { sketch, setSketch, at, setAt } = useSketch(drawing);
  const point = (event) => {
    const { left, top } = svg.current.getBoundingClientRect();
    return rounded([(event.clientX - left) / width, (event.clientY - top) / height]);
  };
  const { drag, begin, insert, move, end, drop } = useDrag({ areas, change, point, size });

  useEffect(() => {
    if (!drawing) return undefined;
    const pressed = (event) => {
      if (event.target.closest("input, dialog, button")) return;
      if (event.key === "Enter" && sketch.length > 2) add(drawing, sketch);
      else if (event.key === "Backspace") setSketch(sketch.slice(0, -1));
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [drawing, sketch, add, setSketch]);

  const replace = (area, polygon) => change(areas.map((each) => (each.key === area.key ? { ...each, polygon } : each)));
  const focus = (index) => requestAnimationFrame(() => svg.current?.querySelector(`[data-corner="${index}"]`)?.focus());

  const same = (one, other) => one && Math.hypot((one[0] - other[0]) * width, (one[1] - other[1]) * height) < STILL_PX;

  const put = (event) => {
    const here = point(event);
    const [first] = sketch;
    const near = first && Math.hypot((here[0] - first[0]) * width, (here[1] - first[1]) * height) < CLOSE_PX;
    if (near && sketch.length > 2) add(drawing, sketch, event.pointerType === "touch");
    else if (!near && !same(sketch.at(-1), here)) setSketch([...sketch, here]);
  };

  const cornerKeys = (area) => (event, index) => {
    const found = keyed(area.polygon, index, event);
    if (!found) return;
    event.preventDefault();
    event.stopPropagation();
    replace(area, found.polygon);
    if (found.corner !== index) focus(found.corner);
  };

  const areaKeys = (area) => (event) => {
    const arrow = ARROWS[event.key];
    const by = event.shiftKey ? FINE : STEP;
    if (arrow) replace(area, moved(area.polygon, arrow[0] * by, arrow[1] * by));
    else if (event.key === "Enter" || event.key === " ") select(area.key);
    else if (event.key === "Delete") change(areas.filter((each) => each.key !== area.key));
    else return;
    event.preventDefault();
  };

  const shown = areas.map((area) => (drag?.key === area.key ? { ...area, polygon: drag.polygon } : area));
  const chosen = shown.find((area) => area.key === selected);
  let hidden = 0;
  return html`<svg ref=${svg} class=${`draw ${drawing ? "drawing" : ""}`} viewBox=${`0 0 ${width || 1} ${height || 1}`}
    role="group" aria-label=${t("zones.picture")}
    onPointerDown=${(event) => {
      if (event.button) return;
      if (drawing) put(event);
      else select(null);
    }}
    onPointerMove=${(event) => (drag ? move(event) : drawing && setAt(point(event)))}
    onPointerUp=${() => drag && end()} onPointerCancel=${drop} onPointerLeave=${() => setAt(null)}
    onDblClick=${() => drawing && sketch.length > 2 && add(drawing, sketch)}>
    ${shown.map((area) => {
      if (area.kind === "private") hidden += 1;
      const name = area.kind === "zone" ? area.name : t("zones.private_nr", { number: hidden });
      const classes = [area.kind, area.key === selected && "chosen", crosses(area.polygon) && "crossing"];
      return html`<g key=${area.key} class=${classes.filter(Boolean).join(" ")}>
        <polygon points=${area.polygon.map(([x, y]) => `${x * width},${y * height}`).join(" ")} tabindex=${drawing ? -1 : 0}
          role="button" aria-pressed=${area.key === selected} aria-label=${name} data-area=${name}
          pointer-events=${drawing ? "none" : "all"} onKeyDown=${areaKeys(area)}
          onPointerDown=${(event) => {
            select(area.key);
            begin(event, area, null);
          }} />
        ${area.kind === "zone" && html`<${Name} area=${area} size=${size} />`}</g>`;
    })}
    ${
      chosen &&
      !drawing &&
      html`<g class=${`handles ${chosen.kind}`}><${Handles} area=${chosen} size=${size} keys=${cornerKeys(chosen)}
        corner=${corner} setCorner=${setCorner}
        hold=${(event, index) => {
          setCorner(index);
          begin(event, chosen, index);
        }}
        insert=${(event, index, between) => insert(event, chosen, index, between)} /></g>`
    }
    ${drawing && html`<${Sketch} sketch=${sketch} at=${at} kind=${drawing} size=${size} />`}
  </svg>`;
}
