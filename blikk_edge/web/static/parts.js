// Small parts that several pages show.

import { ApiError, change, get } from "./api.js";
import { html, useEffect, useState } from "./vendor/preact.js";
import * as words from "./words.js";
import { key, t } from "./words.js";

// What was wrong, said to a screen reader, too.
export const Wrong = ({ text }) => text && html`<p class="problem" role="alert">${text}</p>`;

export const Check = ({ on, set, children, ...rest }) =>
  html`<label class="row"><input type="checkbox" checked=${on} onChange=${(event) => set(event.target.checked)} ...${rest} />
    ${children}</label>`;

export const Languages = () => html`<label class="quiet"><span class="hidden">${t("nav.language")}</span>
  <select onChange=${(event) => words.choose(event.target.value)}>${words.languages.map(
    ([tag, name]) => html`<option key=${tag} value=${tag} selected=${tag === words.language}>${name}</option>`,
  )}</select></label>`;

// A share (0..1) as a bar, with a mark where `tick` is.
export const Gauge = ({ share, tick, hot = "", title }) => html`<span class="gauge" title=${title}>
  <span class=${`fill ${hot}`} style=${{ width: `${share * 100}%` }}></span>
  ${tick !== undefined && html`<span class="tick" style=${{ left: `${tick * 100}%` }}></span>`}</span>`;

// What `blikk check` says of a file.
export const Found = ({ problems, file, role }) => html`<div class="problems" role=${role}>
  <strong>${t("zones.wrong")}</strong><ul>${problems.map(
    ({ line, path, text, mend }) => html`<li key=${`${path} ${text}`}>
      <code>${line ? `${file}:${line}: ` : ""}${path}</code>: ${text}. ${mend}</li>`,
  )}</ul></div>`;

// A form that logs in with what is typed into its field; then `enter` is called.
export function LogIn({ of, button, enter, children, ...field }) {
  const [wrong, setWrong] = useState("");
  const send = async (event) => {
    event.preventDefault();
    try {
      await change("POST", "v1/session", { token: event.target.elements.token.value.trim() });
      await enter();
    } catch (error) {
      setWrong(error.status === 401 ? t(`${of}.wrong`) : error.status === 429 ? t("login.slow") : error.message);
    }
  };
  return html`<form class="card pad log-in" onSubmit=${send}>${children}
    <p id="token-hint">${t(`${of}.hint`)}</p>
    <label for="token">${t(`${of}.token`)}</label>
    <input id="token" name="token" required autofocus aria-describedby="token-hint" ...${field} />
    <${Wrong} text=${wrong} />
    <button class="primary">${button}</button>
  </form>`;
}

// Asks every second while `on`, and gives `take` what is answered; a node that is starting does not answer.
export function useWaiting(on, path, take) {
  useEffect(() => {
    if (!on) return undefined;
    const ask = () =>
      get(path).then(take, (error) => {
        if (!(error instanceof ApiError)) throw error;
      });
    const timer = setInterval(ask, 1000);
    return () => clearInterval(timer);
  }, [on, path]);
}

// Has the browser ask before what was typed or drawn is left.
export function useAsking(on) {
  useEffect(() => {
    if (!on) return undefined;
    const ask = (event) => event.preventDefault();
    addEventListener("beforeunload", ask);
    return () => removeEventListener("beforeunload", ask);
  }, [on]);
}

// Layers over a picture, by name whether they are drawn; kept in this browser as `kept`. The first letter is their key.
export function useLayers(kept, first) {
  const [layers, setLayers] = useState(() => ({ ...first, ...JSON.parse(localStorage.getItem(kept) ?? "{}") }));
  const toggle = (name) =>
    setLayers((before) => {
      const after = { ...before, [name]: !before[name] };
      localStorage.setItem(kept, JSON.stringify(after));
      return after;
    });
  const buttons = Object.keys(first).map(
    (name) => html`<button key=${name} aria-pressed=${layers[name]} onClick=${() => toggle(name)} title=${key(name[0])}>
      ${t(`layer.${name}`)}</button>`,
  );
  const keys = Object.fromEntries(Object.keys(first).map((name) => [name[0], () => toggle(name)]));
  return { layers, buttons, keys };
}

// Gives `take` what a GET answers, at each change of the query or of `round`. Returns what was wrong, an error or null.
export function useAnswer(path, query, take, round) {
  const [wrong, setWrong] = useState(null);
  useEffect(() => {
    const stop = new AbortController();
    get(path, query, { signal: stop.signal })
      .then((found) => {
        take(found);
        setWrong(null);
      })
      .catch((error) => error.name !== "AbortError" && setWrong(error));
    return () => stop.abort();
  }, [path, round, ...Object.values(query)]);
  return [wrong, setWrong];
}
