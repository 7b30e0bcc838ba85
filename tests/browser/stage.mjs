// What journeys play on: the workspaces of `comity demo` as processes, their people, and groups made over the API.
//
// Environment: COMITY (the program; target/debug/comity unless set), COMITY_DEMO (a file with the line that a running
// `comity demo --json` printed: then nothing is started, and no node is killed).

import { execFile, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../../", import.meta.url));
export const program = process.env.COMITY ?? `${root}target/debug/comity`;

/** How long anything may take before it counts as failed. */
export const PATIENCE = 60_000;

/** Asks again until there is an answer. */
export async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await new Promise((go) => setTimeout(go, 20));
  }
}

/** A UDP port that is free now. Asked for late: it is free only until somebody else takes it. */
async function freePort() {
  const socket = createSocket("udp4").bind(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address();
  socket.close();
  await once(socket, "close");
  return port;
}

/** Somebody with a token at a node. */
export class Person {
  constructor(facts) {
    Object.assign(this, facts);
    this.base = `http://localhost:${this.http.split(":").pop()}`;
  }

  async call(method, path, body) {
    return fetch(`${this.base}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  }

  async ask(method, path, body) {
    const answer = await this.call(method, path, body);
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${this.address}: ${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  get(path) { return this.ask("GET", path); }
  post(path, body = {}) { return this.ask("POST", path, body); }
  write(thread, text) { return this.post(`/threads/${thread}/messages`, { text }); }

  /** A link that signs in once, as `comity demo` prints it. */
  async link() {
    const { token } = await this.post(`/users/${this.id}/tokens`, { name: "link to sign in", scope: "admin", days: 1 });
    return `${this.base}/enter#${token}`;
  }
}

/** Letters among the lines that `comity demo --json` printed. */
const lettersIn = (lines) => lines.filter(Boolean).map((line) => JSON.parse(line).letter).filter(Boolean);

export class Stage {
  /** What the workspaces mailed. */
  get letters() {
    return process.env.COMITY_DEMO ? lettersIn(readFileSync(process.env.COMITY_DEMO, "utf8").split("\n")) : this.#letters;
  }

  #letters = [];

  static async set() {
    const stage = new Stage();
    const line = process.env.COMITY_DEMO ? readFileSync(process.env.COMITY_DEMO, "utf8").split("\n")[0] : await stage.start();
    const { people, thread } = JSON.parse(line);
    stage.people = people.map((facts) => new Person(facts));
    stage.thread = thread;
    for (const person of stage.people) {
      const me = await person.get("/me");
      Object.assign(person, { id: me.id, name: me.name, workspace: me.workspace });
    }
    [stage.alice, stage.bob, stage.carol] = stage.people;
    return stage;
  }

  async start() {
    this.demo = spawn(program, ["demo", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface(this.demo.stdout);
    lines.on("line", (line) => { const { letter } = JSON.parse(line); if (letter) this.#letters.push(letter); });
    const [line] = await Promise.race([
      once(lines, "line"),
      once(this.demo, "exit").then(() => { throw new Error("comity demo ended"); }),
    ]);
    return line;
  }

  /** Adds a member to the workspace of an admin. */
  async member(admin, local, name) {
    const { id, address } = await admin.post("/users", { local, name });
    const { token } = await admin.post(`/users/${id}/tokens`, { scope: "admin" });
    return new Person({ id, address, name, token, http: admin.http, workspace: admin.workspace });
  }

  /** A free account at somebody's node (P1.2), in a group or thread of his. */
  async free(host, kind, scope, local, name) {
    const address = `${local}-${Date.now()}@freelance.example`;
    await host.post(`/${kind}/${scope}/members`, { address });
    const { link } = await this.letter(address);
    const account = { name, password: "a long enough password" };
    const { token } = await host.post(`/join/${link.split("/join/").pop()}/account`, account);
    const person = new Person({ address, name, token, http: host.http });
    const { id } = await person.get("/me");
    await until(`${scope} at ${address}`, async () => (await person.call("GET", `/${kind}/${scope}`)).ok);
    return Object.assign(person, { id });
  }

  /** The letter that somebody is sent. */
  async letter(address) {
    return until(`a letter to ${address}`, () => this.letters.find((letter) => letter.to.includes(address)));
  }

  /**
   * One more workspace, which nobody knows yet. The demo's relay knows only the demo's nodes, so this one is dialled and
   * does not dial: its tickets lead to it, and it cannot use theirs.
   */
  async found(name, admin) {
    const dir = join(mkdtempSync(join(tmpdir(), "comity-stage-")), name);
    const link = `127.0.0.1:${await freePort()}`;
    const init = ["init", "--name", name, "--domain", `${name.toLowerCase()}.example`, "--admin", admin,
      "--http", "127.0.0.1:0", "--link", link, "--endpoint", link];
    await new Promise((done, fail) => {
      execFile(program, ["--dir", dir, "--json", ...init], (error) => (error ? fail(error) : done()));
    });
    const node = spawn(program, ["--dir", dir, "--json", "serve"], { stdio: ["ignore", "pipe", "ignore"] });
    (this.others ??= []).push({ node, dir });
    const [line] = await once(createInterface(node.stdout), "line");
    const { http, first_admin: first } = JSON.parse(line);
    const token = readFileSync(join(dir, "admin.token"), "utf8").trim();
    const person = new Person({ http, token, dir, pid: node.pid });
    const { id, address, workspace } = await person.get("/me");
    return Object.assign(person, { id, address, name: admin, workspace, first: `${person.base}${new URL(first).pathname}` });
  }

  /** A group of its first person, with the others in it. */
  async group(name, owner, ...others) {
    const group = await owner.post("/groups", { name });
    for (const other of others) await this.join(owner, "groups", group.id, other);
    return group;
  }

  /** Adds somebody to a group or thread; from another workspace he is invited and accepts. */
  async join(owner, kind, scope, person) {
    const asked = await owner.post(`/${kind}/${scope}/members`, { address: person.address, history: "all" });
    if (asked.status === "member") return;
    const invitation = await until(`an invitation of ${person.address}`, async () =>
      (await person.get("/invitations")).invitations.find((one) => one.scope === scope));
    await person.post(`/invitations/${invitation.id}/accept`);
    await until(`${scope} at ${person.address}`, async () => (await person.call("GET", `/${kind}/${scope}`)).ok);
  }

  /** Whether nodes may be killed: only what was started here. */
  get kills() { return this.demo !== undefined; }

  /** Kills somebody's node as a power cut would. */
  async kill(person) {
    process.kill(person.pid, "SIGKILL");
    await until("the end of a node", () => fetch(`${person.base}/api/v1/health`).then(() => false, () => true));
  }

  /** Starts it again. */
  async revive(person) {
    const node = spawn(program, ["--dir", person.dir, "--json", "serve"], { stdio: ["ignore", "pipe", "ignore"] });
    (this.revived ??= []).push(node);
    await once(createInterface(node.stdout), "line");
    person.pid = node.pid;
  }

  async strike() {
    const others = this.others ?? [];
    for (const process of [...(this.revived ?? []), ...others.map(({ node }) => node), this.demo]) {
      if (!process || process.exitCode !== null || process.signalCode !== null) continue;
      process.kill("SIGINT");
      await once(process, "exit");
    }
    for (const { dir } of others) rmSync(dirname(dir), { recursive: true });
  }
}
