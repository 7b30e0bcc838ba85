// Journeys of people through the web app, in real browsers against real nodes.
//
//   node tests/browser/run.mjs [PART OF A NAME]...
//
// A file in journeys/ exports journeys by their names: functions that get the stage (stage.mjs) and `open`, which opens a
// browser window of a person (browser.mjs). A journey fails when it throws, or when a window had a console error, a page
// error, a failed request or a server error that the journey did not expect. Windows close after the journey.

import { readdirSync } from "node:fs";
import { Window, launch } from "./browser.mjs";
import { PATIENCE, Stage } from "./stage.mjs";

// All pages under axe-core take minutes on a machine that others use too.
const LIMIT = 8 * PATIENCE;

async function play(journey, stage, browser) {
  const windows = [];
  const open = async (person, options) => {
    const window = person ? await Window.of(browser, person, options) : await Window.open(browser, stage.alice, options);
    windows.push(window);
    return window;
  };
  const late = new Promise((_, fail) => { setTimeout(() => fail(new Error("the journey takes too long")), LIMIT).unref(); });
  const faults = [];
  try {
    await Promise.race([journey({ stage, open, browser, keep: (window) => windows.push(window) }), late]);
  } catch (error) {
    faults.push(error.stack);
    for (const window of windows) {
      const seen = await window.page.locator("body").innerText({ timeout: 1000 }).catch(() => "");
      faults.push(`${window.person?.address} sees at ${window.page.url()}:\n${seen.slice(0, 1500)}`);
    }
  }
  for (const window of windows) {
    faults.push(...window.faults);
    await window.close();
  }
  return faults;
}

const wanted = process.argv.slice(2);
const files = readdirSync(new URL("journeys/", import.meta.url)).filter((name) => name.endsWith(".mjs")).sort();
const [stage, browser] = await Promise.all([Stage.set(), launch()]);
let failed = 0;
try {
  for (const file of files) {
    const { default: journeys } = await import(`./journeys/${file}`);
    for (const [name, journey] of Object.entries(journeys)) {
      const title = `${file.replace(".mjs", "")}: ${name}`;
      if (wanted.length && !wanted.some((part) => title.includes(part))) continue;
      const began = Date.now();
      const faults = await play(journey, stage, browser);
      failed += faults.length ? 1 : 0;
      console.log(`${faults.length ? "FAILED" : "ok"}  ${title} (${Date.now() - began} ms)`);
      for (const fault of faults) console.log(`    ${fault.replaceAll("\n", "\n    ")}`);
    }
  }
} finally {
  await browser.close();
  await stage.strike();
}
if (failed) console.log(`${failed} failed`);
process.exitCode = failed ? 1 : 0;
