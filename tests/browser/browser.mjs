// Browsers of people: Chromium from the system, driven by playwright-core, with an eye on everything that goes wrong.
//
// Environment: CHROMIUM (the program; /usr/bin/chromium unless set). The packages are in target/ci-npm:
// npm install --prefix target/ci-npm playwright-core axe-core

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { PATIENCE, root } from "./stage.mjs";

const require = createRequire(`${root}target/ci-npm/`);
const { chromium } = require("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** A browser window of one person. What goes wrong in it is in `faults`, unless the journey expects it. */
export class Window {
  static async open(browser, person, options = {}) {
    const window = new Window();
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    Object.assign(window, { person, context, faults: [], expected: [], base: person?.base });
    context.setDefaultTimeout(PATIENCE);
    window.page = await context.newPage();
    window.watch(window.page);
    return window;
  }

  /** The same, signed in by a link. */
  static async of(browser, person, options = {}) {
    const window = await Window.open(browser, person, options);
    await window.enter(await person.link());
    return window;
  }

  async enter(link) {
    await this.page.goto(link);
    if (await this.page.evaluate(() => true).catch(() => false)) await this.page.waitForURL(`${this.base}/`);
  }

  watch(page) {
    const fault = (text) => { if (!this.expected.some((of) => of.test(text))) this.faults.push(`${this.person?.address}: ${text}`); };
    page.on("console", (line) => line.type() === "error" && fault(`console: ${line.text()} ${line.location().url}`));
    page.on("pageerror", (error) => fault(`page: ${error.stack}`));
    page.on("requestfailed", (request) => {
      const why = request.failure()?.errorText;
      // What a page asks ends with it: its live events, its icon, a part that was to be shown on it. A document that does
      // not come, and a change that may be lost, are faults.
      const ends = ["eventsource", "fetch", "other", "image"].includes(request.resourceType()) && request.method() === "GET";
      // The browser goes on with these two, though it says otherwise (`keepalive`).
      const outlives = /\/(read|do\/typing)$/.test(request.url());
      if (why === "net::ERR_ABORTED" && (ends || outlives)) return;
      fault(`request: ${request.method()} ${request.url()}: ${why}`);
    });
    page.on("response", (answer) => answer.status() >= 500 && fault(`${answer.status()} ${answer.url()}`));
  }

  /** What may go wrong from here on: a pattern of the fault's text. */
  expect(pattern) { this.expected.push(pattern); }

  async go(path) { return this.page.goto(this.base + path); }

  /** Waits until a text is seen. */
  async sees(text, within = "main") {
    await this.page.locator(within).getByText(text).first().waitFor({ state: "visible" });
  }

  /** Waits until a text is seen no more. */
  async loses(text, within = "main") {
    await this.page.locator(within).getByText(text).first().waitFor({ state: "detached" });
  }

  /** The line of a message with this text. */
  message(text) { return this.page.locator("li.message", { hasText: text }); }

  /** Opens a page, and waits until its live events flow. */
  async live(path) {
    const live = this.page.waitForResponse((answer) => new URL(answer.url()).pathname === "/live");
    await this.go(path);
    await live;
  }

  async open(thread) { return this.live(`/t/${thread}`); }

  async write(text) {
    await this.page.locator("#text").fill(text);
    await this.page.getByRole("button", { name: "Send" }).click();
  }

  async close() { await this.context.close(); }
}

const axe = () => readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** Serious findings of axe-core about what a window shows, as lines. */
export async function findings(page) {
  // What is folded is looked at too.
  await page.evaluate(() => document.querySelectorAll("details").forEach((of) => { of.open = true; }));
  await page.evaluate(axe());
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(({ id, help, nodes }) =>
    `${id}: ${help}\n${nodes.slice(0, 3).map((node) => `      ${node.html.slice(0, 160)} ${node.any[0]?.message ?? ""}`).join("\n")}`);
}
