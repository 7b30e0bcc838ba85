// The app's one module: live updates, drafts, previews, shortcuts. Every page works without it.
// It fetches the pages and fragments that the server renders, and shows nothing that they do not have.

const main = document.getElementById("main");
const notices = document.getElementById("notices");
const thread = document.querySelector("[data-thread].thread");
const list = document.getElementById("messages");

function notice(text, path) {
  const line = document.createElement("p");
  const words = path ? document.createElement("a") : line;
  words.textContent = text;
  if (path) { words.href = path; line.append(words); }
  notices.append(line);
  setTimeout(() => line.remove(), 8000);
}

// Moments in the zone and words of who looks.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const long = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    time.title = whole.format(at);
    if (time.dataset.exact !== undefined) {
      time.textContent = at.toLocaleTimeString(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
      continue;
    }
    const today = new Date().toDateString() === at.toDateString();
    time.textContent = today ? clock.format(at) : `${day.format(at)} ${clock.format(at)}`;
  }
}
localise(document);

async function fetchPart(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { "x-quiet": "1", ...options.headers } });
  if (answer.redirected && new URL(answer.url).pathname === "/sign-in") location.reload();
  return answer;
}

function part(html) {
  const held = document.createElement("template");
  held.innerHTML = html;
  localise(held.content);
  return held.content;
}

// Whether the reader looks at the newest message: then he goes on doing so.
const atEnd = () => innerHeight + scrollY > document.documentElement.scrollHeight - 120;
const toEnd = () => scrollTo(0, document.documentElement.scrollHeight);

// A line where a day begins, and one name above what somebody says in one go, for the messages of these places.
const dayOf = (item) => new Date(item.querySelector("time").dateTime);
const before = (item) => {
  let at = item.previousElementSibling;
  while (at && !at.matches(".message")) at = at.previousElementSibling;
  return at;
};
function arrange(items, seen) {
  for (const item of items) {
    const [last, at] = [before(item), dayOf(item)];
    const fresh = !last || dayOf(last).toDateString() !== at.toDateString();
    const above = item.previousElementSibling?.matches(".new") ? item.previousElementSibling : item;
    const line = above.previousElementSibling?.matches(".day:not(.new)") ? above.previousElementSibling : null;
    if (fresh && !line) {
      const day = document.createElement("li");
      day.className = "day";
      day.textContent = at.toDateString() === new Date().toDateString() ? "Today" : long.format(at);
      above.before(day);
    } else if (!fresh) line?.remove();
    // What is read already keeps its height, and its place on the screen with it.
    if (item === seen) continue;
    const goesOn = !fresh && last.dataset.author === item.dataset.author && at - dayOf(last) < 300_000;
    item.classList.toggle("goes-on", goesOn);
  }
}
const messages = () => list.querySelectorAll(".message");
if (list) arrange(messages());

// Puts the new in the place of the old; what had the focus has it again.
function replace(held, fresh) {
  const focused = held.contains(document.activeElement) ? document.activeElement : null;
  const nth = [...held.querySelectorAll("button")].indexOf(focused);
  held.replaceWith(fresh);
  const link = focused?.getAttribute("href");
  const same = link ? fresh.querySelector(`a[href="${CSS.escape(link)}"]`) : fresh.querySelectorAll("button")[nth];
  same?.focus({ preventScroll: true });
}

async function show(seq) {
  const answer = await fetchPart(`/t/${thread.dataset.thread}/${seq}/part`);
  if (!answer.ok) return;
  const followed = atEnd();
  const fresh = part(await answer.text()).querySelector(".message");
  if (!fresh) return;
  const held = document.getElementById(fresh.id);
  if (held) {
    fresh.classList.toggle("goes-on", held.matches(".goes-on"));
    replace(held, fresh);
  } else {
    const later = [...messages()].find((item) => Number(item.dataset.seq) > Number(fresh.dataset.seq));
    if (later && !before(later)) return;
    list.insertBefore(fresh, later ?? null);
    arrange(later ? [fresh, later] : [fresh]);
    if (document.visibilityState === "visible") seen(fresh.dataset.seq);
    const typing = document.getElementById("typing");
    if (typing) typing.textContent = "";
  }
  if (followed) toEnd();
}

let read = 0;
function seen(seq) {
  read = Math.max(read, Number(seq));
  fetchPart(`/t/${thread.dataset.thread}/read`, {
    method: "POST", body: new URLSearchParams({ seq: read }), keepalive: true,
  }).catch(() => {});
}

// Where this page can be asked for. The answer to a form may stand at an address that only takes the form.
function own() {
  const said = document.querySelector("[data-refresh]")?.dataset.refresh;
  return said && said !== location.pathname ? said : location.pathname + location.search;
}

// What came while nobody looked is read once somebody looks.
document.addEventListener("visibilitychange", () => {
  const last = list && [...messages()].at(-1)?.dataset.seq;
  if (document.visibilityState === "visible" && Number(last) > read) seen(last);
});

// The same page anew, without losing what is being written. Asked again while it is on its way, it is fetched once more
// afterwards, however often it was asked.
const again = new Map();
async function refresh(selectors, path = own()) {
  const held = again.get(path);
  if (held) return selectors.forEach((selector) => held.add(selector));
  try {
    for (let wanted = selectors; wanted.length; wanted = [...again.get(path)]) {
      again.set(path, new Set());
      await renew(wanted, path);
    }
  } finally {
    again.delete(path);
  }
}

async function renew(selectors, path) {
  if (left && path !== AROUND) return;
  if (!selectors.some((selector) => document.querySelector(selector))) return;
  const answer = await fetchPart(path);
  if (!answer.ok) return;
  const next = new DOMParser().parseFromString(await answer.text(), "text/html");
  localise(next);
  for (const selector of selectors) {
    const [held, fresh] = [document.querySelector(selector), next.querySelector(selector)];
    const focused = held?.contains(document.activeElement) ? document.activeElement : null;
    // Nobody's words go while he types them, and nobody's place in a list.
    if (focused?.matches("input, textarea, select")) continue;
    if (held && fresh) replace(held, fresh);
    else if (held) held.remove();
  }
  counted();
}

// What stands beside every page, and how much is unread in the title.
const AROUND = "/places";
const around = () => refresh([".groups", ".places"], AROUND);
// A count that may be late: not everybody who reads a busy group asks at each message, nor all at once.
let due = 0;
function soon() { due ||= setTimeout(() => { due = 0; around(); }, 2000 + Math.random() * 3000); }
function counted() {
  const count = /[\d+]+$/.exec(document.getElementById("unread")?.textContent ?? "")?.[0];
  document.title = (count ? `(${count}) ` : "") + document.title.replace(/^\([\d+]+\) /, "");
}
counted();

let left = false;
function gone() {
  if (left) return;
  left = true;
  main.replaceChildren(part("<p class=\"waiting\" role=\"alert\">You are no longer in this conversation, so it is not shown any more.</p><p><a href=\"/\">To the inbox</a></p>"));
  main.focus();
  document.querySelector("dialog.sheet")?.close();
  localStorage.removeItem(draftOf(thread?.dataset.thread));
  // Its name stands nowhere any more either.
  document.title = document.title.replace(/^.* · /, "No longer here · ");
  around();
}

// Without a word of the node for longer than a lease, what others own is not shown (P7.4). A dead line says nothing, not
// even that it is dead: an idle stream says every 15 seconds that it lives, and is dialled anew where it does not.
const SILENCE = 40_000;
const leases = () => [...document.querySelectorAll("[data-lease]")].map((of) => Number(of.dataset.lease) * 1000);
let heard = Date.now();
function hear() {
  if (leaves) return;
  heard = Date.now();
  document.body.classList.remove("veiled");
}
let [stream, dialled, silent] = [null, 0, false];
if (document.body.dataset.live) setInterval(() => {
  const now = Date.now();
  if (now - heard > Math.max(Math.min(...leases()), SILENCE)) document.body.classList.add("veiled");
  if (Math.min(now - heard, now - dialled) < SILENCE) return;
  silent = true;
  live();
}, 1000);

// A conversation whose owner is away is loaded anew when that changes, behind what is being sent.
const waits = Boolean(thread?.querySelector(":scope > .waiting"));
let [sending, leaves] = [null, false];
async function anew() {
  leaves = true;
  await sending?.catch(() => {});
  location.reload();
}

// Live events, from where the page stands: nothing is lost between its making and the stream's beginning.
let position = 0;
function live() {
  stream?.close();
  const events = new EventSource(position ? `/live?after=${position}` : document.body.dataset.live);
  [stream, dialled] = [events, Date.now()];
  const on = (name, act) => events.addEventListener(name, async (event) => {
    position = Math.max(position, Number(event.lastEventId) || 0);
    await act(JSON.parse(event.data));
    hear();
  });
  on("alive", () => {});
  // What was hidden for long is asked for anew before it is shown again.
  on("hello", () => silent && anew());
  events.onerror = () => {
    if (events.readyState === EventSource.CLOSED && events === stream) setTimeout(live, 2000);
  };
  const here = thread?.dataset.thread;
  on("message", ({ message, concern }) => {
    if (concern) tell(message);
    if (message.thread === here) return show(message.seq);
    if (document.getElementById("rows")) refresh(["#rows", ".places"]);
    else if (concern) around();
    else soon();
  });
  on("pending", ({ thread: at }) => { if (at === here) refresh(["#pending"]); });
  on("lost", async ({ id }) => {
    untell(id);
    // It may be the last of several ways to this conversation, or not.
    if (id === here || location.pathname.startsWith(`/g/${id}`)) return gone();
    if (here && (await (await fetchPart(`/t/${here}/here`)).text()) !== "here") return gone();
    if (document.getElementById("rows")) refresh(["#rows", ".groups", ".places"]);
    else around();
  });
  on("scope", ({ id }) => {
    // What is set for the group of a chat holds for the chat.
    if (id === here || thread?.querySelector(`.head a[href="/g/${id}"]`)) refresh([".thread > .head", "#silent", ".groups"]);
    else if (document.querySelector("[data-refresh], #rows")) refresh(["[data-refresh]", "#requests", "#rows", ".groups"]);
    else around();
  });
  for (const name of ["waiting", "resumed", "frozen"]) on(name, ({ id }) => {
    if (id !== here) refresh(["#rows", "[data-refresh]", ".groups"]);
    else if (waits !== (name !== "resumed")) anew();
  });
  on("reset", () => location.reload());
  on("invitation", () => (document.querySelector("[data-refresh]") ? refresh([".places", "[data-refresh]"]) : around()));
  for (const name of ["receipt", "effective", "claim", "peer"]) on(name, () => refresh(["[data-refresh]"]));
  on("typing", ({ thread: at, user }) => {
    const line = document.getElementById("typing");
    if (at !== here || !line) return;
    const known = document.querySelector(`.by > a[href="/people/${user}"]`);
    line.textContent = `${known?.textContent ?? "Somebody"} is typing`;
    clearTimeout(line.timer);
    line.timer = setTimeout(() => { line.textContent = ""; }, 4000);
  });
}

// Of what concerns the reader he is told where he does not look. Never what was written: a notice of the system stays when
// the conversation is gone (P7.3), so it says who wrote, and goes with the conversation as far as that can be.
const told = new Map();
function tell({ thread: at, seq, author }) {
  const [seen, text] = [document.visibilityState === "visible", `${author.name} wrote to you`];
  if (seen && at === thread?.dataset.thread) return;
  if (seen) return notice(text, `/t/${at}#m${seq}`);
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  const note = new Notification(text, { tag: `${at} ${seq}` });
  note.onclick = () => { window.focus(); location.assign(`/t/${at}#m${seq}`); };
  told.set(at, [...(told.get(at) ?? []), note]);
}
function untell(scope) {
  const all = scope.startsWith("gr_") ? [...told.keys()] : [scope];
  for (const at of all) { told.get(at)?.forEach((note) => note.close()); told.delete(at); }
}
const allow = document.getElementById("allow");
if (allow && "Notification" in window) {
  const words = { default: "", granted: "This browser shows them.", denied: "This browser is told not to show them: allow it in its settings for this site." };
  const say = () => { allow.hidden = Notification.permission !== "default"; allow.nextElementSibling.textContent = words[Notification.permission]; };
  allow.addEventListener("click", async () => { await Notification.requestPermission(); say(); });
  say();
}

if (document.body.dataset.live) live();
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

// Forms that need no new page.
document.addEventListener("submit", async (event) => {
  const form = event.target;
  const kind = form.dataset.quiet;
  if (form.dataset.confirm && !confirm(form.dataset.confirm)) return event.preventDefault();
  if (!kind) return;
  event.preventDefault();
  const body = new URLSearchParams(new FormData(form, event.submitter));
  const answer = await fetchPart(form.action, { method: "POST", body });
  if (!answer.ok) return notice(await answer.text());
  if (kind === "remove-row") form.closest("li").remove();
  if (kind === "sheet") {
    const sheet = form.closest("dialog");
    await show(sheet.dataset.seq);
    sheet.close();
  }
  if (kind === "message") show(form.closest("[data-seq]").dataset.seq);
});

// Words that were not sent stay in this browser until they are, the conversation is lost, or their writer signs out.
function draftOf(place) { return `draft ${document.body.dataset.me} ${place}`; }
const start = document.querySelector("form[data-draft]");
if (start) {
  const [draft, fields] = [draftOf("new"), [...start.querySelectorAll("input:not([type=hidden], [type=checkbox]), textarea")]];
  const held = JSON.parse(localStorage.getItem(draft) ?? "{}");
  for (const field of fields) if (!field.value) field.value = held[field.name] ?? "";
  start.addEventListener("input", () => localStorage.setItem(draft, JSON.stringify(Object.fromEntries(fields.map((field) => [field.name, field.value])))));
  start.addEventListener("submit", () => localStorage.removeItem(draft));
}
document.querySelector("form[action='/sign-out']")?.addEventListener("submit", () => {
  Object.keys(localStorage).filter((key) => key.startsWith(draftOf(""))).forEach((key) => localStorage.removeItem(key));
});

// The composer.
const composer = document.getElementById("composer");
if (composer) {
  const text = composer.elements.text;
  const draft = draftOf(thread.dataset.thread);
  const look = document.getElementById("look");
  const preview = document.getElementById("preview");
  let key = crypto.randomUUID();
  if (!text.value) text.value = localStorage.getItem(draft) ?? "";
  look.hidden = false;
  let typed = 0;
  text.addEventListener("input", () => {
    if (text.value) localStorage.setItem(draft, text.value); else localStorage.removeItem(draft);
    if (!waits && Date.now() - typed > 3000) { typed = Date.now(); fetchPart(`/t/${thread.dataset.thread}/do/typing`, { method: "POST", keepalive: true }).catch(() => {}); }
  });
  look.addEventListener("click", async () => {
    preview.hidden = !preview.hidden;
    if (preview.hidden) return;
    const answer = await fetchPart("/preview", { method: "POST", body: new URLSearchParams({ text: text.value }) });
    preview.replaceChildren(part(await answer.text()));
  });
  composer.addEventListener("submit", (event) => {
    event.preventDefault();
    sending = send();
  });
  async function send() {
    const answer = await fetchPart(composer.action, { method: "POST", body: new URLSearchParams({ text: text.value, key }) });
    if (!answer.ok) return notice(await answer.text());
    const sent = await answer.json();
    text.value = "";
    preview.hidden = true;
    localStorage.removeItem(draft);
    key = crypto.randomUUID();
    if (sent.seq) { await show(sent.seq); toEnd(); } else { await refresh(["#pending"]); toEnd(); }
    for (const id of sent.not_recipients ?? []) offer(id);
  }
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) composer.requestSubmit();
  });
  if (!location.hash) {
    toEnd();
    // What is new is seen from its beginning.
    const line = document.getElementById("new");
    if (line && line.getBoundingClientRect().top < 0) line.scrollIntoView();
  }

  // Names behind an @, as they are typed.
  const names = document.getElementById("names");
  const typedName = () => /(?:^|\s)@([^\s@]{1,40})$/.exec(text.value.slice(0, text.selectionStart))?.[1];
  let asked = "";
  text.addEventListener("input", async () => {
    const q = typedName();
    if (!q) { names.hidden = true; asked = ""; return; }
    if (q === asked) return;
    asked = q;
    const answer = await fetchPart(`/t/${thread.dataset.thread}/names?q=${encodeURIComponent(q)}`);
    if (!answer.ok || asked !== q) return;
    names.replaceChildren(part(await answer.text()));
    names.hidden = !names.childElementCount;
  });
  names.addEventListener("click", ({ target }) => {
    const name = target.closest("button")?.value;
    if (!name) return;
    const at = text.selectionStart - typedName().length;
    text.setRangeText(`${name} `, at, text.selectionStart, "end");
    names.hidden = true;
    text.focus();
    text.dispatchEvent(new Event("input"));
  });
}

// Somebody was named who does not read this (P3.3): nobody is added unless chosen.
function offer(id) {
  const line = part("<p></p>").firstElementChild;
  const link = document.createElement("a");
  link.href = `${thread.dataset.add}?add=${encodeURIComponent(id)}`;
  link.textContent = "Add to the recipients";
  const no = document.createElement("button");
  no.className = "second";
  no.textContent = "Leave it";
  no.addEventListener("click", () => line.remove());
  line.append("You named somebody who does not read this. ", link, " ", no);
  notices.append(line);
}

// What can be done with a message, over the conversation instead of on a page of its own.
list?.addEventListener("click", async (event) => {
  const tools = event.target.closest("a.tools");
  if (!tools || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const answer = await fetchPart(tools.href);
  if (!answer.ok) return location.assign(tools.href);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const dialog = document.createElement("dialog");
  dialog.className = "sheet";
  dialog.setAttribute("aria-label", "This message");
  dialog.append(...page.querySelectorAll("main .card"), part("<form method=\"dialog\"><button class=\"second\">Close</button></form>"));
  for (const form of dialog.querySelectorAll("form[action]")) form.dataset.quiet = "sheet";
  dialog.dataset.seq = tools.closest("[data-seq]").dataset.seq;
  dialog.addEventListener("close", () => { dialog.remove(); document.querySelector(`#m${dialog.dataset.seq} .tools`)?.focus(); });
  document.body.append(dialog);
  dialog.showModal();
});

// Older messages above, without a jump.
const older = document.getElementById("older");
older?.addEventListener("click", async (event) => {
  event.preventDefault();
  const answer = await fetchPart(`/t/${thread.dataset.thread}/older?before=${older.dataset.before}`);
  if (!answer.ok) return;
  const from = document.documentElement.scrollHeight - scrollY;
  const first = list.querySelector(".message");
  list.prepend(part(await answer.text()));
  const added = [...messages()];
  arrange(added.slice(0, added.indexOf(first) + 1), first);
  scrollTo(0, document.documentElement.scrollHeight - from);
  const next = answer.headers.get("x-next");
  if (next) older.dataset.before = next; else older.parentElement.remove();
});
if (older) new IntersectionObserver(([seen]) => { if (seen.isIntersecting && scrollY < 200 && document.documentElement.scrollHeight > innerHeight) older.click(); }, { rootMargin: "200px" }).observe(older);

// Names as they are typed.
for (const box of document.querySelectorAll("input[data-names]")) {
  const options = document.getElementById(box.getAttribute("list"));
  let last = "";
  box.addEventListener("input", async () => {
    // Of several the last one is being typed.
    const [, before, typed] = box.dataset.many === undefined ? [0, "", box.value] : /^(.*,\s*)?(.*)$/s.exec(box.value);
    const q = typed.trim();
    if (q.length < 2 || q === last) return;
    last = q;
    const answer = await fetchPart(`/people/matching?q=${encodeURIComponent(q)}`);
    if (!answer.ok || last !== q) return;
    options.replaceChildren(part(await answer.text()));
    for (const option of options.children) option.value = (before ?? "") + option.value;
  });
}

// What a form would do, said before it is sent.
for (const form of document.querySelectorAll("form[data-foresee]")) {
  const line = form.querySelector("[data-foreseen]");
  const usual = line.textContent;
  let [waits, asked] = [0, ""];
  const look = async () => {
    const wanted = new URLSearchParams(new FormData(form));
    const who = wanted.get("who").trim();
    if (who.length < 3) { asked = ""; line.textContent = usual; return; }
    if (`${wanted}` === asked) return;
    asked = `${wanted}`;
    const answer = await fetchPart(`${form.dataset.foresee}?${wanted}`);
    if (answer.ok && asked === `${wanted}`) line.textContent = await answer.text();
  };
  // Not at each letter: an address is typed to its end first.
  for (const kind of ["input", "change"]) form.addEventListener(kind, () => { clearTimeout(waits); waits = setTimeout(look, 300); });
  if (form.elements.who.value) look();
}

// What is to be passed on is copied by a click.
for (const line of document.querySelectorAll("code[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "second";
  button.textContent = "Copy";
  button.addEventListener("click", async () => { await navigator.clipboard.writeText(line.textContent); button.textContent = "Copied"; });
  line.after(button);
}

// Countdowns to a deadline.
function countdowns() {
  for (const at of document.querySelectorAll("[data-deadline]")) {
    const left = Math.ceil((new Date(at.dataset.deadline) - Date.now()) / 1000);
    at.textContent = left > 0 ? `in ${left} s` : "";
  }
}
setInterval(countdowns, 1000);
countdowns();

// Shortcuts.
const rows = () => [...document.querySelectorAll(".row > a, .list a.name, .people a.name")];
function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.indexOf(document.activeElement);
  all[Math.min(all.length - 1, Math.max(0, at + step))].focus();
}
let after = "";
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const go = { gi: "/", gd: "/directory", gp: "/people", "/": "/search", c: "/new" }[after + event.key];
  after = event.key === "g" ? "g" : "";
  if (go) { event.preventDefault(); location.assign(go); }
  else if (event.key === "j") move(1);
  else if (event.key === "e") document.activeElement.closest(".row")?.querySelector("form").requestSubmit();
  else if (event.key === "k") move(-1);
  else if (event.key === "r" && composer) { event.preventDefault(); composer.elements.text.focus(); }
  else if (event.key === "?") document.getElementById("keys")?.showModal();
});
