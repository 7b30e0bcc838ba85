import assert from "node:assert/strict";

/** The clock's words of a message. */
const clock = (window, text) => window.message(text).locator("time").innerText();

export default {
  "a message has the time of who reads it": async ({ stage, open }) => {
    const { chat } = await stage.group("Around the world", stage.alice, stage.bob);
    await stage.alice.write(chat, "at one moment");
    const { messages: [{ time }] } = await stage.alice.get(`/threads/${chat}/messages`);
    const seen = {};
    for (const [person, timezoneId] of [[stage.alice, "Asia/Tokyo"], [stage.bob, "America/New_York"]]) {
      const window = await open(person, { timezoneId, locale: "en-GB" });
      await window.open(chat);
      await window.message("at one moment").waitFor();
      const shown = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: timezoneId });
      seen[timezoneId] = await clock(window, "at one moment");
      assert.ok(seen[timezoneId].endsWith(shown.format(new Date(time))), `${timezoneId}: ${seen[timezoneId]}`);
      const live = `written now for ${timezoneId}`;
      await stage.alice.write(chat, live);
      await window.message(live).waitFor();
      assert.doesNotMatch(await clock(window, live), /UTC/, "what comes live too");
    }
    assert.notEqual(seen["Asia/Tokyo"], seen["America/New_York"]);
  },

  "a message starts a thread, which the other sees come, with the way back to it (P6.4)": async ({ stage, open }) => {
    const { id, chat } = await stage.group("Where it began", stage.alice, stage.bob);
    await stage.bob.write(chat, "we should talk about tents");
    const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
    await bob.live(`/g/${id}`);
    await alice.open(chat);
    await alice.message("talk about tents").getByRole("link", { name: /start a thread/ }).click();
    await alice.page.locator("dialog.sheet").getByRole("link", { name: "New thread" }).click();
    await alice.page.getByLabel("Subject").fill("The question of shelter");
    await alice.page.getByLabel("Where it began").check();
    await alice.page.getByLabel("First message").fill("How many?");
    await alice.page.getByRole("button", { name: "Start" }).click();
    await alice.message("How many?").waitFor();
    await bob.page.locator(".row > a", { hasText: "The question of shelter" }).click();
    await bob.message("How many?").waitFor();
    await alice.page.getByRole("link", { name: "from a message" }).click();
    await alice.sees("we should talk about tents");
  },

  "a topic is closed and opened again while the other looks at it (P6.4)": async ({ stage, open }) => {
    const { id } = await stage.group("With a topic", stage.alice, stage.bob);
    const topic = await stage.alice.post("/threads", { subject: "Open and shut", groups: [id] });
    await stage.alice.write(topic.id, "for discussion");
    const [alice, bob] = [await open(stage.alice), await open(stage.bob)];
    await alice.open(topic.id);
    await alice.message("for discussion").waitFor();
    await bob.live(`/g/${id}`);
    await bob.page.locator(".row > a", { hasText: "Open and shut" }).click();
    await bob.message("for discussion").waitFor();
    await settings(alice, "Close");
    await bob.sees("closed", ".head");
    bob.expect(/409|403/);
    await bob.write("too late");
    await bob.page.locator("#notices, #pending").getByText("this thread is closed").first().waitFor();
    await settings(alice, "Reopen");
    await bob.loses("closed", ".head");
    await bob.write("in time");
    await alice.open(topic.id);
    await alice.message("in time").waitFor();
  },

  "older messages are put above without a jump": async ({ stage, open }) => {
    const { chat } = await stage.group("A long way back", stage.alice, stage.bob);
    for (let n = 1; n <= 130; n += 1) await stage.alice.write(chat, `line ${n} of many, ${"and so on ".repeat(n % 9)}`);
    const bob = await open(stage.bob);
    await bob.open(chat);
    await bob.message("line 130 of").waitFor();
    const from = [];
    while (await bob.page.locator("#older").count()) from.push(await back(bob));
    await bob.page.locator("#m1").waitFor({ state: "attached" });
    assert.ok(from.length >= 2, "more than one page");
    for (const { moved, first } of from) assert.ok(Math.abs(moved) <= 2, `message ${first} moved by ${moved} pixels`);
    const order = await bob.page.locator("#messages > .message").evaluateAll((all) => all.map((of) => Number(of.dataset.seq)));
    assert.deepEqual(order, [...order].sort((a, b) => a - b), "each once, in order");
    assert.equal(new Set(order).size, order.length);
  },
};

async function settings(window, button) {
  await window.page.getByRole("link", { name: "Recipients and settings" }).click();
  await window.page.getByRole("button", { name: button, exact: true }).click();
  await window.page.locator("#composer").waitFor();
}

/** Scrolls up until an older page is there: by how much the message that was the first one moved on the screen. */
async function back(window) {
  return window.page.evaluate(async () => {
    const list = document.getElementById("messages");
    const first = () => list.querySelector(".message");
    const anchor = first();
    const top = () => anchor.getBoundingClientRect().top;
    const frame = () => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });
    const older = new Promise((done) => { new MutationObserver(done).observe(list, { childList: true }); });
    let before = top();
    // The place where the reader was when they came, as he saw it last.
    const scrolled = () => { if (first() === anchor) before = top(); };
    addEventListener("scroll", scrolled);
    scrollTo(0, 0);
    scrolled();
    await older;
    await frame();
    removeEventListener("scroll", scrolled);
    return { moved: top() - before, first: anchor.dataset.seq };
  });
}
