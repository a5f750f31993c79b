// The dashboard cards of Blikk Edge. Home Assistant's frontend loads this module; see cards.py.

// The frontend loads this beside its own code, and replaces the page's HTMLElement and registry of elements as it starts:
// an element that was made and defined before would never be found. Its own root is defined after that.
await customElements.whenDefined("home-assistant");
const [{ CameraCard }, { frontendHass, textsOf }, { TimelineCard }, { TimelinePanel }] = await Promise.all([
  import("./camera-card.js"),
  import("./texts.js"),
  import("./timeline-card.js"),
  import("./timeline-panel.js"),
]);

const GUIDE = "https://github.com/blikk-edge/blikk-edge/blob/main/docs/guide/home-assistant.md#cards";

/** What the card picker shows, in the language that is set when it is opened. */
const listed = (type, name, getEntitySuggestion) => ({
  type,
  preview: true,
  documentationURL: GUIDE,
  getEntitySuggestion,
  get name() {
    return textsOf(frontendHass()?.language)[`${name}_name`];
  },
  get description() {
    return textsOf(frontendHass()?.language)[`${name}_description`];
  },
});

/** The card for a camera of ours, where one is looked for. */
function suggested(hass, entityId) {
  const ours = entityId.startsWith("camera.") && hass.entities[entityId]?.platform === "blikk";
  return ours ? { config: { type: "custom:blikk-camera-card", entity: entityId } } : null;
}

for (const [tag, element] of [
  ["blikk-timeline-card", TimelineCard],
  ["blikk-camera-card", CameraCard],
  ["blikk-timeline-panel", TimelinePanel],
]) {
  // the panel loads the module too, and after an update there may be two of them in a page
  if (!customElements.get(tag)) customElements.define(tag, element);
}

window.customCards ??= [];
if (!window.customCards.some((card) => card.type === "blikk-timeline-card")) {
  window.customCards.push(listed("blikk-timeline-card", "timeline"));
  window.customCards.push(listed("blikk-camera-card", "camera", suggested));
}
