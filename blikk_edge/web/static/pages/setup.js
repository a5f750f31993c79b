// Set-up of a node without a configuration, step by step. What is typed stays in this page until it is written.

import { ApiError, change, get, session } from "../api.js";
import { Check, Found, Languages, LogIn, useAsking, useWaiting, Wrong } from "../parts.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import * as words from "../words.js";
import { t } from "../words.js";

const STEPS = ["node", "camera", "broker", "review"];
const PLAIN = { autocapitalize: "none", autocomplete: "off", spellcheck: "false" };
const HERE = ["127.0.0.1", "localhost", "[::1]"];

function Code({ enter }) {
  return html`<${LogIn} of="code" button=${t("setup.next")} enter=${() => session().then(enter)} class="code"
    autocomplete="one-time-code" autocapitalize="characters" spellcheck="false" maxlength="20" placeholder="XXXX-XXXX">
    <h1>${t("setup.title")}</h1><//>`;
}

function Field({ name, label, value, set, hint, ...rest }) {
  return html`<div class="field"><label for=${name}>${label}</label>
    <input id=${name} value=${value} onInput=${(event) => set(event.target.value)}
      aria-describedby=${hint ? `${name}-hint` : null} ...${rest} />
    ${hint && html`<p class="note" id=${`${name}-hint`}>${hint}</p>`}</div>`;
}

function NodeStep({ answers, set }) {
  return html`<${Field} name="node-name" label=${t("setup.name")} value=${answers.name} required maxlength="64"
      hint=${t("setup.name_hint")} set=${(name) => set({ name })} />
    <div class="field"><label for="language">${t("nav.language")}</label>
      <select id="language" value=${answers.language} onChange=${(event) => set({ language: event.target.value })}>
        ${words.languages.map(([tag, name]) => html`<option key=${tag} value=${tag}>${name}</option>`)}
      </select><p class="note">${t("setup.language_hint")}</p></div>`;
}

// Asks the node to try something; the answer, or what was wrong.
function useTry(path) {
  const [busy, setBusy] = useState(false);
  const run = async (body) => {
    setBusy(true);
    try {
      return await change("POST", path, body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      return { problem: error.message };
    } finally {
      setBusy(false);
    }
  };
  return [busy, run];
}

// What was wrong; in the words of this language where the node says of which kind it is.
function Trouble({ of }) {
  if (!of?.problem) return null;
  const said = of.trouble ? [t(`trouble.${of.trouble}`, of), of.more].filter(Boolean).join(" ") : of.problem;
  return html`<p class="problem" title=${of.problem}>${said}</p>`;
}

function Camera({ camera, number, set, remove, busy, test }) {
  const id = (name) => `camera-${number}-${name}`;
  const changed = (values) => set({ ...values, result: null });
  const { result } = camera;
  return html`<fieldset class="setup-camera"><legend>${t("setup.camera_nr", { number: number + 1 })}</legend>
    <${Field} name=${id("name")} label=${t("setup.camera_name")} value=${camera.name} required maxlength="64"
      set=${(name) => set({ name })} />
    <${Field} name=${id("source")} label=${t("setup.source")} value=${camera.source} required maxlength="1000"
      ...${PLAIN} placeholder="rtsp://user:password@192.168.1.20/stream1"
      hint=${t("setup.source_hint")} set=${(source) => changed({ source })} />
    <${Check} on=${camera.doorbell} set=${(doorbell) => set({ doorbell })}>${t("setup.doorbell")}<//>
    <div class="row"><button type="button" disabled=${busy || !camera.source.trim()} onClick=${test}>
        ${busy ? t("setup.trying") : t("setup.try_camera")}</button>
      ${remove && html`<button type="button" class="danger" onClick=${remove}>${t("setup.remove")}</button>`}</div>
    <div role="status">${
      result?.picture
        ? html`<figure><img src=${result.picture} width=${result.width} height=${result.height}
            alt=${t("setup.picture", { camera: camera.name })} /><figcaption class="good">${t("setup.camera_works")}</figcaption></figure>`
        : html`<${Trouble} of=${result} />`
    }</div>
  </fieldset>`;
}

// The cameras that answer on this network; a click takes one, with the login that is typed here.
function Finder({ take }) {
  const [busy, run] = useTry("v1/setup/cameras");
  const [found, setFound] = useState(null);
  const [login, setLogin] = useState({ user: "", password: "" });
  const both = () => `${encodeURIComponent(login.user)}:${encodeURIComponent(login.password)}@`;
  const address = (source) => (login.user ? source.replace("://", `://${both()}`) : source);
  return html`<div class="field"><button type="button" disabled=${busy} onClick=${async () => setFound(await run({}))}>
      ${busy ? t("setup.finding") : t("setup.find")}</button>
    <div role="status"><${Trouble} of=${found} />
      ${found && !found.problem && !found.cameras.length && html`<p class="note">${t("setup.found_none")}</p>`}</div>
    ${
      found?.cameras?.length > 0 &&
      html`<p class="note">${t("setup.found_hint")}</p>
      <div class="grid2"><${Field} name="onvif-user" label=${t("setup.username")} value=${login.user} maxlength="256"
          ...${PLAIN} set=${(user) => setLogin({ ...login, user })} />
        <${Field} name="onvif-password" label=${t("setup.password")} value=${login.password} type="password"
          maxlength="256" autocomplete="off" set=${(password) => setLogin({ ...login, password })} /></div>
      <ul>${found.cameras.map(
        ({ what, source }) => html`<li key=${source} class="row">${what} · ${source.replace("onvif://", "")}
          <button type="button" onClick=${() => take(address(source))}>${t("setup.found_use")}</button></li>`,
      )}</ul>`
    }</div>`;
}

function CameraStep({ answers, set }) {
  const [busy, run] = useTry("v1/setup/camera");
  const { cameras } = answers;
  const change = (number, values) =>
    set((before) => ({
      cameras: before.cameras.map((each, index) => (index === number ? { ...each, ...values } : each)),
    }));
  const test = async (number) => {
    const { name, source, doorbell } = cameras[number];
    const result = await run({ name, source, doorbell });
    change(number, { result });
  };
  const more = () => set({ cameras: [...cameras, { name: "", source: "", doorbell: false, result: null }] });
  const take = (source) => {
    const free = cameras.findIndex((each) => !each.source.trim());
    if (free >= 0) change(free, { source, result: null });
    else set({ cameras: [...cameras, { name: "", source, doorbell: false, result: null }] });
  };
  return html`<p class="note">${t("setup.camera_hint")}</p>
    <${Finder} take=${take} />
    ${cameras.map(
      (camera, number) => html`<${Camera} key=${number} camera=${camera} number=${number} busy=${busy}
        set=${(values) => change(number, values)} test=${() => test(number)}
        remove=${cameras.length > 1 && (() => set({ cameras: cameras.filter((_, index) => index !== number) }))} />`,
    )}
    <button type="button" onClick=${more}>${t("setup.more")}</button>`;
}

function BrokerStep({ answers, set }) {
  const [busy, run] = useTry("v1/setup/broker");
  const { broker } = answers;
  const change = (values) => set((before) => ({ broker: { ...before.broker, ...values, result: null } }));
  const test = async () => {
    const result = await run(brokerOf(broker));
    set((before) => ({ broker: { ...before.broker, result } }));
  };
  const field = (name, rest) =>
    html`<${Field} name=${name} label=${t(`setup.${name}`)} value=${broker[name]} set=${(value) => change({ [name]: value })} ...${rest} />`;
  return html`<p class="note">${t("setup.broker_hint")}</p>
    <${Check} on=${broker.used} set=${(used) => change({ used })}>${t("setup.broker_used")}<//>
    ${
      broker.used &&
      html`<div class="grid2">
        ${field("host", { required: true, maxlength: 253, placeholder: "homeassistant.local", ...PLAIN })}
        ${field("port", { type: "number", min: 1, max: 65535, placeholder: broker.tls ? "8883" : "1883" })}
        ${field("username", { maxlength: 256, ...PLAIN })}
        ${field("password", { maxlength: 256, type: "password", ...PLAIN })}
      </div>
      <${Check} on=${broker.tls} set=${(tls) => change({ tls })}>${t("setup.tls")}<//>
      <button type="button" disabled=${busy || !broker.host.trim()} onClick=${test}>
        ${busy ? t("setup.trying") : t("setup.try_broker")}</button>
      <div role="status">${
        broker.result &&
        (broker.result.problem
          ? html`<${Trouble} of=${broker.result} />`
          : html`<p class="good">${t("setup.broker_works")}</p>`)
      }</div>`
    }`;
}

const brokerOf = ({ host, port, username, password, tls }) => ({
  host,
  port: port === "" ? null : Number(port),
  username,
  password,
  tls,
});

const bodyOf = (answers) => ({
  name: answers.name,
  language: answers.language,
  cameras: answers.cameras.map(({ name, source, doorbell }) => ({ name, source, doorbell })),
  broker: answers.broker.used ? brokerOf(answers.broker) : null,
});

function ReviewStep({ answers, start, setFine }) {
  const [review, setReview] = useState(null);
  useEffect(() => {
    change("POST", "v1/setup/review", bodyOf(answers)).then(
      (found) => {
        setReview(found);
        setFine(found.problems.length === 0);
      },
      (error) => setReview({ wrong: error.message }),
    );
  }, [answers, setFine]);
  if (!review) return html`<p class="quiet">${t("timeline.loading")}</p>`;
  if (review.wrong) return html`<${Wrong} text=${review.wrong} />`;
  return html`<p>${t("setup.review_hint", { file: start.file })}</p>
    <pre class="yaml" tabindex="0" aria-label=${t("zones.yaml")}>${review.yaml}</pre>
    ${review.secrets.length > 0 && html`<p class="note">${t("setup.secrets", { names: review.secrets.join(", ") })}</p>`}
    ${review.problems.length > 0 && html`<${Found} problems=${review.problems} role="alert" />`}
    ${review.notes.length > 0 && html`<ul class="note">${review.notes.map((text) => html`<li key=${text}>${text}</li>`)}</ul>`}`;
}

function Done({ written }) {
  const [runs, setRuns] = useState(false);
  const heading = useRef(null);
  const reached = !written.here_only || HERE.includes(location.hostname);
  useEffect(() => {
    heading.current.focus();
  }, []);
  useWaiting(reached, "v1/session", (found) => found.setup || setRuns(true));
  const open = async () => {
    await change("POST", "v1/session", { token: written.control });
    location.hash = "#/";
    location.reload();
  };
  return html`<h1 tabindex="-1" ref=${heading}>${t("setup.done")}</h1>
    <p>${t("setup.done_hint", { file: written.file })}</p>
    <dl class="tokens"><dt>${t("setup.control")}</dt><dd><code>${written.control}</code></dd>
      <dt>${t("setup.view")}</dt><dd><code>${written.view}</code></dd></dl>
    ${written.here_only && html`<p class="note">${t("setup.here_only")}</p>`}
    ${
      reached &&
      html`<div class="row" role="status">${
        runs
          ? html`<button class="primary" onClick=${open}>${t("setup.open")}</button>`
          : html`<span class="quiet">${t("setup.starting")}</span>`
      }</div>`
    }`;
}

function Wizard({ start, finish }) {
  const [step, setStep] = useState(0);
  const [fine, setFine] = useState(false);
  const [busy, setBusy] = useState(false);
  const [wrong, setWrong] = useState("");
  const heading = useRef(null);
  const [answers, setAnswers] = useState(() => ({
    name: start.name,
    language: words.language,
    cameras: [{ name: t("setup.front_door"), source: "", doorbell: false, result: null }],
    broker: { used: true, host: "", port: "", username: "", password: "", tls: false, result: null },
  }));
  const set = (values) =>
    setAnswers((before) => ({ ...before, ...(typeof values === "function" ? values(before) : values) }));
  useEffect(() => heading.current.focus(), [step]);
  useAsking(true);
  const name = STEPS[step];
  const next = async (event) => {
    event.preventDefault();
    if (name !== "review") return setStep(step + 1);
    setBusy(true);
    try {
      finish(await change("POST", "v1/setup", bodyOf(answers)));
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setWrong(error.message);
      setBusy(false);
    }
    return undefined;
  };
  const untried =
    (name === "camera" && answers.cameras.some((camera) => !camera.result?.picture)) ||
    (name === "broker" && answers.broker.used && answers.broker.result?.problem !== null);
  const Step = { node: NodeStep, camera: CameraStep, broker: BrokerStep, review: ReviewStep }[name];
  return html`<form class="card pad setup" onSubmit=${next}>
    <ol class="steps" aria-label=${t("setup.steps")}>${STEPS.map(
      (
        each,
        index,
      ) => html`<li key=${each} class=${index < step ? "past" : ""} aria-current=${index === step ? "step" : null}>
        ${t(`setup.step_${each}`)}</li>`,
    )}</ol>
    <h1 tabindex="-1" ref=${heading}>${t(`setup.title_${name}`)}</h1>
    ${!start.encrypted && step === 0 && !HERE.includes(location.hostname) && html`<p class="problems">${t("setup.clear")}</p>`}
    <${Step} answers=${answers} set=${set} start=${start} setFine=${setFine} />
    <${Wrong} text=${wrong} />
    <div class="row end">
      ${step > 0 && html`<button type="button" onClick=${() => setStep(step - 1)}>${t("setup.back")}</button>`}
      <button class="primary" type="submit" disabled=${busy || (name === "review" && !fine)}>
        ${name === "review" ? t("setup.write") : untried ? t("setup.untried") : t("setup.next")}</button>
    </div>
  </form>`;
}

export function Page() {
  const [start, setStart] = useState(null);
  const [written, setWritten] = useState(null);
  const enter = () => get("v1/setup").then(setStart);
  useEffect(() => {
    document.title = `${t("setup.title")} · Blikk Edge`;
    session().then((found) => found.scope === "control" && enter());
  }, []);
  return html`<header class="bar"><span class="brand"><img src="static/icon.svg" alt="" width="28" height="28" />
      <span>Blikk Edge</span></span><span class="spacer"></span>
      ${!start && html`<${Languages} />`}</header>
    <main id="main" class="narrow">${
      written
        ? html`<div class="card pad setup"><${Done} written=${written} /></div>`
        : start
          ? html`<${Wizard} start=${start} finish=${setWritten} />`
          : html`<${Code} enter=${enter} />`
    }</main>`;
}
