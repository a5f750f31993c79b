// What the cards say, in English, German and Spanish, and how they write times, as Home Assistant is set to write them.

const TEXTS = {
  en: {
    timeline_name: "Blikk timeline",
    timeline_description: "What happened at your cameras: picture, text, and how long, newest first.",
    camera_name: "Blikk camera",
    camera_description: "The live picture of a camera, or its newest one, and what happened there last.",
    title: "Timeline",
    person: "Person",
    vehicle: "Vehicle",
    animal: "Animal",
    package: "Parcel",
    ring: "Doorbell",
    what: "What to show",
    camera: "Camera",
    zone: "Zone",
    all_cameras: "All cameras",
    all_zones: "All zones",
    loading: "Loading",
    older: "Older events",
    newest: "Show the newest",
    show_all: "Show all",
    retry: "Try again",
    menu: "Menu",
    empty: "Nothing happened yet",
    empty_filtered: "Nothing of this happened",
    no_cameras: "There is no camera of Blikk Edge here",
    no_camera: "{camera} is no camera of Blikk Edge",
    failed: "The timeline could not be loaded",
    not_loaded: "Blikk Edge is not loaded",
    gone: "This event is no more",
    node_offline: "{node} is not connected. What it has kept is not shown.",
    no_reply: "{node} did not answer. What it has kept is not shown.",
    cannot_answer: "{node} keeps no events.",
    refused: "{node} could not tell what it has kept.",
    somebody_rang: "Somebody rang",
    rang: "rang {time}",
    since: "since {time}",
    going_on: "now",
    lingered: "stayed long",
    taken: "taken",
    interrupted: "end not seen",
    important: "important",
    at_once: "{count} at once",
    by_model: "Written by a language model",
    picture: "{what}, {camera}, {time}",
    open_camera: "{camera}: open",
    unavailable: "Unavailable",
    no_picture: "No picture yet",
    live: "Live",
    live_late: "no new picture",
    live_blind: "No live picture: the node could not blur faces in it",
    live_unreachable: "live view not reached",
    live_unauthorized: "live view: wrong token",
    more: "Timeline on the node's page",
    editor: {
      title: "Title",
      cameras: "Cameras (none: all)",
      labels: "Only these (none: all)",
      zones: "Only in these zones (none: all)",
      limit: "Events at once",
      hide_filters: "Hide the filters",
      entity: "Camera",
      events: "Events below the picture",
      hide_live: "Hide the live picture",
      hide_boxes: "Hide the boxes in it",
    },
  },
  de: {
    timeline_name: "Blikk-Zeitleiste",
    timeline_description: "Was an den Kameras geschah: Bild, Text und wie lange, das Neueste zuerst.",
    camera_name: "Blikk-Kamera",
    camera_description: "Das Livebild einer Kamera oder ihr neuestes Bild und was dort zuletzt geschah.",
    title: "Zeitleiste",
    person: "Person",
    vehicle: "Fahrzeug",
    animal: "Tier",
    package: "Paket",
    ring: "Türklingel",
    what: "Was gezeigt wird",
    camera: "Kamera",
    zone: "Zone",
    all_cameras: "Alle Kameras",
    all_zones: "Alle Zonen",
    loading: "Wird geladen",
    older: "Frühere Ereignisse",
    newest: "Das Neueste zeigen",
    show_all: "Alles zeigen",
    retry: "Erneut versuchen",
    menu: "Menü",
    empty: "Noch ist nichts geschehen",
    empty_filtered: "Nichts davon ist geschehen",
    no_cameras: "Hier ist keine Kamera von Blikk Edge",
    no_camera: "{camera} ist keine Kamera von Blikk Edge",
    failed: "Die Zeitleiste konnte nicht geladen werden",
    not_loaded: "Blikk Edge ist nicht geladen",
    gone: "Dieses Ereignis gibt es nicht mehr",
    node_offline: "{node} ist nicht verbunden. Was er aufbewahrt, wird nicht gezeigt.",
    no_reply: "{node} hat nicht geantwortet. Was er aufbewahrt, wird nicht gezeigt.",
    cannot_answer: "{node} bewahrt keine Ereignisse auf.",
    refused: "{node} konnte nicht sagen, was er aufbewahrt.",
    somebody_rang: "Es hat geklingelt",
    rang: "geklingelt {time}",
    since: "seit {time}",
    going_on: "jetzt",
    lingered: "blieb lange",
    taken: "weggenommen",
    interrupted: "Ende nicht gesehen",
    important: "wichtig",
    at_once: "{count} zugleich",
    by_model: "Von einem Sprachmodell geschrieben",
    picture: "{what}, {camera}, {time}",
    open_camera: "{camera}: öffnen",
    unavailable: "Nicht verfügbar",
    no_picture: "Noch kein Bild",
    live: "Live",
    live_late: "kein neues Bild",
    live_blind: "Kein Livebild: Der Knoten konnte Gesichter darin nicht unkenntlich machen",
    live_unreachable: "Livebild nicht erreicht",
    live_unauthorized: "Livebild: falsches Token",
    more: "Zeitleiste auf der Seite des Knotens",
    editor: {
      title: "Titel",
      cameras: "Kameras (keine: alle)",
      labels: "Nur diese (keine: alle)",
      zones: "Nur in diesen Zonen (keine: alle)",
      limit: "Ereignisse auf einmal",
      hide_filters: "Filter ausblenden",
      entity: "Kamera",
      events: "Ereignisse unter dem Bild",
      hide_live: "Livebild ausblenden",
      hide_boxes: "Rahmen darin ausblenden",
    },
  },
  es: {
    timeline_name: "Cronología de Blikk",
    timeline_description: "Lo que pasó en tus cámaras: imagen, texto y cuánto duró, lo más reciente primero.",
    camera_name: "Cámara de Blikk",
    camera_description: "La imagen en directo de una cámara, o la última, y lo último que pasó allí.",
    title: "Cronología",
    person: "Persona",
    vehicle: "Vehículo",
    animal: "Animal",
    package: "Paquete",
    ring: "Timbre",
    what: "Qué mostrar",
    camera: "Cámara",
    zone: "Zona",
    all_cameras: "Todas las cámaras",
    all_zones: "Todas las zonas",
    loading: "Cargando",
    older: "Eventos anteriores",
    newest: "Mostrar lo más reciente",
    show_all: "Mostrar todo",
    retry: "Reintentar",
    menu: "Menú",
    empty: "Todavía no ha pasado nada",
    empty_filtered: "No ha pasado nada de esto",
    no_cameras: "Aquí no hay ninguna cámara de Blikk Edge",
    no_camera: "{camera} no es una cámara de Blikk Edge",
    failed: "No se pudo cargar la cronología",
    not_loaded: "Blikk Edge no está cargado",
    gone: "Este evento ya no existe",
    node_offline: "{node} no está conectado. No se muestra lo que ha guardado.",
    no_reply: "{node} no respondió. No se muestra lo que ha guardado.",
    cannot_answer: "{node} no guarda eventos.",
    refused: "{node} no pudo decir lo que ha guardado.",
    somebody_rang: "Llamaron al timbre",
    rang: "timbre {time}",
    since: "desde las {time}",
    going_on: "ahora",
    lingered: "se quedó mucho tiempo",
    taken: "retirado",
    interrupted: "no se vio el final",
    important: "importante",
    at_once: "{count} a la vez",
    by_model: "Escrito por un modelo de lenguaje",
    picture: "{what}, {camera}, {time}",
    open_camera: "{camera}: abrir",
    unavailable: "No disponible",
    no_picture: "Todavía no hay imagen",
    live: "En directo",
    live_late: "sin imagen nueva",
    live_blind: "Sin imagen en directo: el nodo no pudo difuminar las caras",
    live_unreachable: "sin acceso a la vista en directo",
    live_unauthorized: "vista en directo: token incorrecto",
    more: "Cronología en la página del nodo",
    editor: {
      title: "Título",
      cameras: "Cámaras (ninguna: todas)",
      labels: "Solo estos (ninguno: todos)",
      zones: "Solo en estas zonas (ninguna: todas)",
      limit: "Eventos a la vez",
      hide_filters: "Ocultar los filtros",
      entity: "Cámara",
      events: "Eventos bajo la imagen",
      hide_live: "Ocultar la imagen en directo",
      hide_boxes: "Ocultar los recuadros",
    },
  },
};

/** The frontend's `hass`, for what is asked for where it hands over none: the card picker and editors. */
export const frontendHass = () => document.querySelector("home-assistant")?.hass;

/** What the cards say in a language like `de` or `de-AT`; English where there is no other. */
export function textsOf(language) {
  return TEXTS[String(language ?? navigator.language).split("-")[0]] ?? TEXTS.en;
}

/** A text with its `{names}` filled in. */
export function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** What a label is called; one that is new to this card keeps its own word. */
export function labelName(texts, label) {
  return texts[label] ?? label.charAt(0).toUpperCase() + label.slice(1);
}

/** A zone as its entities are called: with a capital. */
export const zoneName = (zone) => `${zone.slice(0, 1).toUpperCase()}${zone.slice(1)}`;

/** Writers of times and durations, as the user has set her language, clock and time zone. */
export class Writing {
  constructor(hass) {
    const { language = hass.language, time_format: clock, time_zone: zone } = hass.locale ?? {};
    this.language = language;
    this.texts = textsOf(hass.language);
    const own = zone === "server" ? { timeZone: hass.config.time_zone } : {};
    const cycle = { 12: "h12", 24: "h23" }[clock];
    const locale = clock === "system" ? undefined : language;
    this._time = new Intl.DateTimeFormat(locale, {
      ...own,
      hour: "numeric",
      minute: "2-digit",
      ...(cycle && { hourCycle: cycle }),
    });
    this._day = new Intl.DateTimeFormat(language, { ...own, weekday: "long", day: "numeric", month: "long" });
    this._key = new Intl.DateTimeFormat("en-CA", { ...own, year: "numeric", month: "2-digit", day: "2-digit" });
    this._near = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  }

  /** Like 14:05. */
  time(date) {
    return this._time.format(date);
  }

  /** The local day as a key that can be compared. */
  dayKey(date) {
    return this._key.format(date);
  }

  /** "Today", "Yesterday", or like "Saturday, November 21". */
  day(date, now = new Date()) {
    const days = (Date.parse(this.dayKey(date)) - Date.parse(this.dayKey(now))) / 86_400_000;
    const text = days === 0 || days === -1 ? this._near.format(days, "day") : this._day.format(date);
    return text.charAt(0).toLocaleUpperCase(this.language) + text.slice(1);
  }

  /** Like "45 sec", "3 min" or "1 hr 20 min". */
  duration(seconds) {
    const whole = Math.max(1, Math.round(seconds));
    if (whole < 60) return this._unit(whole, "second");
    const minutes = Math.round(whole / 60);
    if (minutes < 60) return this._unit(minutes, "minute");
    const hours = this._unit(Math.floor(minutes / 60), "hour");
    return minutes % 60 ? `${hours} ${this._unit(minutes % 60, "minute")}` : hours;
  }

  _unit(value, unit) {
    return new Intl.NumberFormat(this.language, { style: "unit", unit, unitDisplay: "short" }).format(value);
  }
}
