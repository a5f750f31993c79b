// Canvases that are drawn again when their size changes, or the device turns light or dark.

import { useEffect, useRef } from "./vendor/preact.js";

// Has `draw` called with the canvas of the reference that this returns: at each change of `dependencies`, too.
export function useDrawn(draw, dependencies) {
  const canvas = useRef(null);
  useEffect(() => {
    const again = () => canvas.current && draw(canvas.current);
    again();
    const watcher = new ResizeObserver(again);
    watcher.observe(canvas.current);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", again);
    return () => {
      watcher.disconnect();
      dark.removeEventListener("change", again);
    };
  }, dependencies);
  return canvas;
}
