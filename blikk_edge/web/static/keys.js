// What keys do on a page, by their names: "ArrowLeft", "ShiftArrowLeft", "p". Not while something is written.

import { useEffect, useRef } from "./vendor/preact.js";

const TYPED = "input:not([type=checkbox]), select, textarea";
const PRESSED = "input, select, textarea, button, a, summary"; // by the space bar

export function useKeys(keys) {
  const newest = useRef(keys);
  newest.current = keys;
  useEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.(event.key === " " ? PRESSED : TYPED))
        return;
      const act = newest.current[event.shiftKey && event.key.startsWith("Arrow") ? `Shift${event.key}` : event.key];
      if (!act) return;
      event.preventDefault();
      act();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
