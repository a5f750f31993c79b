// The events a card shows: pages of the past from the component, and what is new as it comes.

const KEPT = 300; // a wall tablet shows its page for weeks
const RETRIES_MS = [1_000, 2_000, 5_000, 15_000, 30_000];
const FORGET_PAUSE_MS = 300;
const RELOAD_PAUSE_MS = 60_000;

/** Newest first, as the component orders them; times are written alike, so texts compare as times do. */
function order(one, other) {
  if (one.started !== other.started) return one.started < other.started ? 1 : -1;
  return one.id < other.id ? 1 : one.id > other.id ? -1 : 0;
}

const heard = () => ({ events: new Map(), texts: new Map() });

function keep({ events, texts }, { event, text }) {
  if (event) events.set(event.id, event);
  if (text) texts.set(text.id, text);
  for (const each of [events, texts]) if (each.size > KEPT) each.delete(each.keys().next().value);
}

/** Whether the one is an earlier state of the same event: events end once, and grow until then. */
function isOlder(one, other) {
  const state = ({ ended, peak, zones, loitering }) =>
    [Boolean(ended), peak, zones.length, Boolean(loitering)].map(Number);
  const [ours, theirs] = [state(one), state(other)];
  const at = ours.findIndex((value, index) => value !== theirs[index]);
  return at >= 0 && ours[at] < theirs[at];
}

/**
 * `events` newest first; `state` is loading, ready or failed; `cameras` is null until they are known. `changed` is called
 * after each change, `still` with the entity id of a camera that has a new picture.
 */
export class Events {
  constructor({ changed, still = () => {} }) {
    this._changed = changed;
    this._still = still;
    this._hass = null;
    this._wanted = {};
    this._limit = 20;
    this._unsubscribe = null;
    this._meanwhile = null; // what is heard while a page is asked for
    this._round = 0; // answers to what was asked before it are late
    this._reloaded = 0;
    this._ready = () => this._start();
    this._clear();
    this.cameras = null;
  }

  _clear() {
    this.events = [];
    this.missing = [];
    this.state = "loading";
    this.error = null;
    this.before = null;
    this.anchored = false; // the newest are not shown
    this.fetching = false;
    this._opening = false;
  }

  /** Follow `{cameras, labels, zones}` with a connection, `limit` events at once; empty lists do not restrict. */
  follow(hass, wanted, limit) {
    const same = JSON.stringify([wanted, limit]) === JSON.stringify([this._wanted, this._limit]);
    if (this._hass?.connection === hass.connection && same) return;
    this.stop();
    this._hass = hass;
    this._wanted = wanted;
    this._limit = limit;
    hass.connection.addEventListener("ready", this._ready);
    this._clear();
    this._start();
  }

  /** Ask for nothing more, and hear of nothing. */
  stop() {
    this._round += 1;
    clearTimeout(this._again);
    clearTimeout(this._forgetting);
    this._hass?.connection.removeEventListener("ready", this._ready);
    this._hass = null;
    this._end();
  }

  /** The next page of older events. */
  async older() {
    if (!this._hass || this.before === null || this.fetching) return;
    await this._page(this.before, (page) => this._add(page));
  }

  /** Ask anew, and show the newest. */
  async reload() {
    if (!this._hass) return;
    this._round += 1;
    this._opening = false;
    this.fetching = false;
    this._meanwhile ??= heard();
    if (this.state === "failed") this.state = "loading";
    await this._page(undefined, (page) => {
      this.anchored = false;
      this._replace(page);
    });
  }

  /** Show the timeline from an event on, which is looked for around a time where one is given; whether it was found. */
  async openAt(id, time) {
    if (this.events.some((event) => event.id === id)) return true;
    this._round += 1;
    const round = this._round;
    this._opening = true;
    this._meanwhile ??= heard();
    const found = await this._find(id, Date.parse(time ?? ""), round).catch(() => null);
    if (round !== this._round) return false;
    this._opening = false;
    if (found === null) {
      await this.reload();
      return false;
    }
    this.state = "ready";
    this.fetching = false;
    this.anchored = !Number.isNaN(Date.parse(time ?? ""));
    this._replace(found);
    this._changed();
    return true;
  }

  /** The pages up to an event, as one; null where it is not on them. */
  async _find(id, time, round) {
    const events = [];
    const at = Number.isNaN(time) ? undefined : new Date(time + 1_000).toISOString();
    for (let pages = 0, before = at; pages < 5 && before !== null; pages += 1) {
      const page = await this._ask(before, 100);
      if (round !== this._round) return null;
      events.push(...page.events);
      if (events.some((event) => event.id === id)) return { ...page, events };
      before = at === undefined ? page.before : null; // at its time it is, or nowhere
    }
    return null;
  }

  /** A picture could not be loaded: its address may have expired. */
  pictureFailed() {
    if (this.anchored || Date.now() - this._reloaded < RELOAD_PAUSE_MS) return;
    this._reloaded = Date.now();
    this.reload();
  }

  async _start(tries = 0) {
    clearTimeout(this._again);
    this._end();
    const hass = this._hass;
    const live = Symbol("subscription");
    this._live = live;
    this._meanwhile = heard();
    const hear = (news) => this._live === live && this._hear(news);
    const subscription = { type: "blikk/timeline/subscribe", ...this._wanted };
    try {
      const unsubscribe = await hass.connection.subscribeMessage(hear, subscription, {
        resubscribe: false, // after a restart the component may not be there yet: it is tried again below
      });
      if (this._live !== live) {
        unsubscribe();
        return;
      }
      this._unsubscribe = unsubscribe;
    } catch (error) {
      if (this._live !== live) return;
      this._fail(error);
      const pause_ms = RETRIES_MS[Math.min(tries, RETRIES_MS.length - 1)];
      this._again = setTimeout(() => this._start(tries + 1), pause_ms);
      return;
    }
    if (this.anchored) this._meanwhile = null;
    else if (!this._opening) await this.reload();
  }

  _end() {
    this._live = null;
    // a connection that is gone has nothing to end
    Promise.resolve(this._unsubscribe?.()).catch(() => {});
    this._unsubscribe = null;
  }

  async _page(before, use) {
    const round = this._round;
    this.fetching = true;
    this._changed();
    try {
      const page = await this._ask(before, this._limit);
      if (round !== this._round) return;
      this.state = "ready";
      use(page);
    } catch (error) {
      if (round !== this._round) return;
      this._fail(error);
    }
    this.fetching = false;
    this._changed();
  }

  async _ask(before, limit) {
    const message = { type: "blikk/timeline", ...this._wanted, limit, ...(before !== undefined && { before }) };
    return this._hass.connection.sendMessagePromise(message);
  }

  _fail(error) {
    this.state = "failed";
    this.error = error?.code ?? "unknown";
    this._changed();
  }

  _add({ events, before, missing }) {
    const known = new Map([...this.events, ...events].map((event) => [event.id, event]));
    this.events = [...known.values()].sort(order);
    this.before = before;
    this.missing = missing;
  }

  /** Show a page in place of all, and what was heard since it was asked for. */
  _replace(page) {
    const { events, texts } = this._meanwhile ?? heard();
    this._meanwhile = null;
    this.events = [];
    this._add(page);
    for (const event of events.values()) {
      const known = this.events.find((each) => each.id === event.id);
      if (!known || !isOlder(event, known)) this._event(event);
    }
    for (const text of texts.values()) {
      if (!this.events.find((each) => each.id === text.id)?.text) this._text(text);
    }
  }

  _hear(news) {
    if (this._meanwhile) keep(this._meanwhile, news);
    if (news.cameras) this._cameras(news.cameras);
    if (news.event) this._event(news.event);
    if (news.text) this._text(news.text);
    if (news.still) this._still(news.still);
    if (news.forgotten) this._forget();
    this._changed();
  }

  _cameras(cameras) {
    const were = new Set(this.cameras?.filter((each) => each.online).map((each) => each.entity_id));
    const first = this.cameras === null;
    this.cameras = cameras;
    const back = cameras.some((each) => each.online && !were.has(each.entity_id));
    if (back && !first && !this.anchored) this.reload();
  }

  /** Ask anew, once for all cameras of which something was forgotten. */
  _forget() {
    if (this._meanwhile) this._meanwhile = heard(); // the next page has what is still there
    clearTimeout(this._forgetting);
    this._forgetting = setTimeout(() => this.reload(), FORGET_PAUSE_MS);
  }

  _event(event) {
    const known = this.events.find((each) => each.id === event.id);
    if (!known && this.anchored) return;
    const last = this.events.at(-1);
    if (!known && this.before !== null && last && order(last, event) < 0) return; // on a page that is yet to be asked for
    const merged = { ...event };
    for (const key of ["title", "text", "importance", "source", "mark"]) merged[key] ??= known?.[key] ?? null;
    if (!event.pictures.length && known) merged.pictures = known.pictures;
    this.events = [...this.events.filter((each) => each !== known), merged].sort(order);
    if (this.events.length > KEPT) {
      this.events.length = KEPT;
      const { started, id } = this.events.at(-1);
      this.before = `${started} ${id}`;
    }
  }

  _text({ id, ...text }) {
    this.events = this.events.map((event) => (event.id === id ? { ...event, ...text } : event));
  }
}
