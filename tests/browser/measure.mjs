// How heavy and how fast the web app is, as one JSON object.
//
//   node tests/browser/measure.mjs          (COMITY=target/release/comity for figures that mean something)
//
// bytes: of the inbox, the style sheet and the module, as they are and as they cross the network; first_paint_ms: first
// contentful paint of the inbox, in a fresh browser and with its files kept; long_thread_ms: from the click to the newest
// message on the screen, in a thread of 10,000; live_ms: from the call that posts at one node to the frame that shows the
// text at the partner's, the median and the worst of 50. All on one machine, without a network's delay.

import { Window, launch } from "./browser.mjs";
import { Stage } from "./stage.mjs";

const LONG = 10_000;
const POSTS = 50;
const AT_ONCE = 64;

const now = () => performance.timeOrigin + performance.now();
const round = (number) => Math.round(number * 10) / 10;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

/** The page and its files: what a browser has of them, and what crossed the network. */
async function bytes(browser, person) {
  const window = await Window.of(browser, person);
  const session = await window.context.newCDPSession(window.page);
  await session.send("Network.enable");
  await session.send("Network.setCacheDisabled", { cacheDisabled: true });
  const [kinds, sizes] = [new Map(), { page: {}, css: {}, js: {} }];
  session.on("Network.responseReceived", ({ requestId, response }) => {
    const kind = { "text/html": "page", "text/css": "css", "text/javascript": "js" }[response.mimeType];
    if (kind) kinds.set(requestId, { kind, head: response.encodedDataLength });
  });
  session.on("Network.dataReceived", ({ requestId, dataLength }) => {
    const size = sizes[kinds.get(requestId)?.kind];
    if (size) size.plain = (size.plain ?? 0) + dataLength;
  });
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    const known = kinds.get(requestId);
    if (known) sizes[known.kind].sent = encodedDataLength;
  });
  await window.go("/?view=all");
  await window.page.waitForLoadState("load");
  await window.close();
  const all = Object.values(sizes);
  sizes.total = { plain: all.reduce((sum, { plain }) => sum + plain, 0), sent: all.reduce((sum, { sent }) => sum + sent, 0) };
  return sizes;
}

async function paint(window) {
  await window.go("/?view=all");
  return window.page.evaluate(() => new Promise((done) => {
    new PerformanceObserver((list) => {
      const [first] = list.getEntriesByName("first-contentful-paint");
      if (first) done(first.startTime);
    }).observe({ type: "paint", buffered: true });
  }));
}

/** First contentful paint: the first load of a fresh browser, and the median of five later ones. */
async function firstPaint(browser, person) {
  const window = await Window.of(browser, person);
  const session = await window.context.newCDPSession(window.page);
  await session.send("Network.clearBrowserCache");
  const fresh = await paint(window);
  const later = [];
  for (let n = 0; n < 5; n += 1) later.push(await paint(window));
  await window.close();
  return { fresh: round(fresh), kept: round(median(later)) };
}

/** Opens a thread of many messages from the inbox, at its owner's node and at the partner's. */
async function longThread(browser, stage) {
  const { chat } = await stage.group("A long story", stage.alice, stage.bob);
  let next = 0;
  const writer = async () => {
    while (next < LONG) {
      next += 1;
      await stage.alice.write(chat, `Line ${next} of a story with **some** words in it`);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, writer));
  const opened = {};
  for (const [where, person] of [["owner", stage.alice], ["partner", stage.bob]]) {
    const window = await Window.of(browser, person);
    const taken = [];
    for (let n = 0; n < 5; n += 1) {
      await window.go("/?view=all");
      const row = window.page.locator(".row > a", { hasText: "A long story" });
      await row.waitFor();
      const began = await row.evaluate((link) => { const at = Date.now(); link.click(); return at; });
      await window.page.waitForURL(`**/t/${chat}`);
      await window.page.locator("#messages > li").nth(49).waitFor();
      taken.push(await window.page.evaluate(() => new Promise((done) => {
        requestAnimationFrame(() => done(Date.now()));
      })) - began);
    }
    opened[where] = median(taken);
    await window.close();
  }
  return opened;
}

/** From a post at alice's node to the frame that shows it in bob's window. */
async function live(browser, stage) {
  const { chat } = await stage.group("Live", stage.alice, stage.bob);
  const window = await Window.of(browser, stage.bob);
  await window.open(chat);
  const taken = [];
  for (let n = 0; n < POSTS; n += 1) {
    const shown = window.page.evaluate((text) => new Promise((done) => {
      const look = () => {
        if (![...document.querySelectorAll("#messages .text")].some((of) => of.textContent.includes(text))) return false;
        requestAnimationFrame(() => done(performance.timeOrigin + performance.now()));
        return true;
      };
      const eye = new MutationObserver(() => { if (look()) eye.disconnect(); });
      eye.observe(document.getElementById("messages"), { childList: true, subtree: true });
      globalThis.looking = text;
    }), `post ${n}.`);
    await window.page.waitForFunction((text) => globalThis.looking === text, `post ${n}.`);
    const began = now();
    await stage.alice.write(chat, `post ${n}.`);
    taken.push(await shown - began);
  }
  await window.close();
  return { p50: round(median(taken)), worst: round(Math.max(...taken)) };
}

const [stage, browser] = await Promise.all([Stage.set(), launch()]);
try {
  const figures = { bytes: await bytes(browser, stage.alice), first_paint_ms: await firstPaint(browser, stage.alice) };
  figures.live_ms = await live(browser, stage);
  figures.long_thread_ms = await longThread(browser, stage);
  console.log(JSON.stringify(figures, null, 2));
} finally {
  await browser.close();
  await stage.strike();
}
