import assert from "node:assert/strict";

/** A lease short enough to wait for: the API takes it, the form asks for a minute at least. */
const SHORT = 4;

/** What a screen reader would be told of the page. */
const told = (window) => window.page.locator("body").ariaSnapshot();

/** The network of a window is cut in silence: what it waits for does not come, and nothing says so. */
async function cut(window) {
  window.expect(/ERR_INTERNET_DISCONNECTED|ERR_FAILED|ERR_NETWORK/);
  await window.context.setOffline(true);
  await window.page.waitForFunction(() => !navigator.onLine);
}

export default {
  "what is written while a partner's node is down waits, and comes when it is back": async ({ stage, open }) => {
    if (!stage.kills) return console.log("    skipped: the nodes are somebody else's");
    // carol owns it: the other journeys need alice's and bob's nodes.
    const { chat } = await stage.group("Power cut", stage.carol, stage.bob);
    const bob = await open(stage.bob);
    await bob.open(chat);
    await stage.kill(stage.carol);
    await bob.write("written in the dark");
    await bob.page.locator("#pending .message", { hasText: "written in the dark" }).waitFor();
    await bob.sees("waits for", "#pending");
    await stage.revive(stage.carol);
    await bob.page.locator("#messages .message", { hasText: "written in the dark" }).waitFor();
    await bob.page.locator("#pending .message").waitFor({ state: "detached" });
    const carol = await open(stage.carol);
    await carol.open(chat);
    await carol.sees("written in the dark");
  },

  "a partner away for longer than its lease: its group waits, what is written is kept, all is back with it (P7.4)": async ({ stage, open }) => {
    if (!stage.kills) return console.log("    skipped: the nodes are somebody else's");
    const { id, chat } = await stage.group("Away for long", stage.carol, stage.bob);
    for (const path of [`/groups/${id}`, `/threads/${chat}`]) await stage.carol.ask("PATCH", path, { lease: SHORT });
    await stage.carol.write(chat, "carol's words");
    const bob = await open(stage.bob);
    await bob.open(chat);
    await bob.sees("carol's words");
    await stage.kill(stage.carol);
    await bob.sees(`Waiting for ${stage.carol.workspace.name}`);
    assert.equal(await bob.page.getByText("carol's words").count(), 0, "nothing of it is shown");
    await bob.write("kept meanwhile");
    await bob.page.locator("#pending .message", { hasText: "kept meanwhile" }).getByText("waits for").waitFor();
    // The row is there before the page has the answer; whoever leaves now would cut it off.
    await bob.page.waitForFunction(() => document.getElementById("text").value === "");
    await bob.go("/?view=all");
    await bob.sees(`waiting for ${stage.carol.workspace.name}`, ".rows");
    assert.equal(await bob.page.getByText("carol's words").count(), 0, "nor in the inbox");
    await bob.open(chat);
    await stage.revive(stage.carol);
    await bob.message("carol's words").waitFor();
    await bob.page.locator("#messages .message", { hasText: "kept meanwhile" }).waitFor();
    await bob.page.locator("#pending .message").waitFor({ state: "detached" });
  },

  "a browser that hears nothing for longer than the lease hides what others own, and shows it again (P7.4)": async ({ stage, open }) => {
    const { chat } = await stage.group("Behind a veil", stage.alice, stage.bob);
    const { lease } = await stage.bob.get(`/threads/${chat}`);
    for (const path of [`/t/${chat}`, "/?view=all"]) {
      const said = `shown at ${path}`;
      await stage.alice.write(chat, said);
      const bob = await open(stage.bob);
      await bob.page.clock.install();
      await bob.live(path);
      const words = bob.page.locator("main").getByText(said);
      await words.waitFor({ state: "visible" });
      assert.ok((await told(bob)).includes(said));
      await cut(bob);
      await bob.page.clock.fastForward((lease - 60) * 1000);
      // Not before the lease is over; in the inbox that of another group may be.
      if (path !== "/?view=all") assert.equal(await words.isVisible(), true, path);
      await bob.page.clock.fastForward(70_000);
      await words.waitFor({ state: "hidden" });
      assert.equal(await words.evaluate((of) => getComputedStyle(of).visibility), "hidden", path);
      assert.ok(!(await told(bob)).includes(said), path);
      const instead = await bob.page.locator("main").evaluate((of) => getComputedStyle(of, "::before").content);
      assert.match(instead, /connection to the node is lost/);
      await bob.context.setOffline(false);
      await words.waitFor({ state: "visible" });
      assert.ok((await told(bob)).includes(said));
      await stage.alice.write(chat, `and on at ${path}`);
      await bob.sees(`and on at ${path}`);
    }
  },

  "a page of own groups stays: nobody else's word is needed for it": async ({ stage, open }) => {
    const { chat } = await stage.group("All our own", stage.alice, stage.bob);
    await stage.alice.write(chat, "own words");
    const alice = await open(stage.alice);
    await alice.page.clock.install();
    await alice.open(chat);
    await alice.sees("own words");
    await cut(alice);
    await alice.page.clock.fastForward(24 * 3_600_000);
    await alice.page.evaluate(() => new Promise((done) => { setTimeout(done, 2000); }));
    assert.equal(await alice.page.getByText("own words").isVisible(), true);
  },
};
