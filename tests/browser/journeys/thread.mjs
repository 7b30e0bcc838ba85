import assert from "node:assert/strict";

/** A group of alice's with bob in it, both looking at its chat. */
async function pair({ stage, open }, name) {
  const { id, chat } = await stage.group(name, stage.alice, stage.bob);
  const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
  await Promise.all([alice.open(chat), bob.open(chat)]);
  for (const window of [alice, bob]) await window.page.evaluate(() => { globalThis.sameLoad = true; });
  return { id, chat, alice, bob };
}

const loadedOnce = (window) => window.page.evaluate(() => globalThis.sameLoad === true);

export default {
  "what one writes the other sees at once, both ways": async (all) => {
    const { alice, bob } = await pair(all, "Both ways");
    await alice.write("Hello **Bob**");
    await bob.message("Hello Bob").waitFor();
    assert.equal(await bob.message("Hello Bob").locator("strong").innerText(), "Bob");
    await bob.write("Hello Alice");
    await alice.message("Hello Alice").waitFor();
    assert.ok(await loadedOnce(alice) && await loadedOnce(bob), "no page was loaded again");
  },

  "edits, reactions and deletes are seen by the other": async (all) => {
    const { chat, alice, bob } = await pair(all, "Changes");
    await alice.write("first words");
    const theirs = bob.message("first words");
    await theirs.waitFor();
    const seq = await theirs.getAttribute("data-seq");
    const [writer, reader] = [await all.open(all.stage.alice), await all.open(all.stage.bob)];
    await writer.go(`/t/${chat}/${seq}`);
    await writer.page.getByLabel("The text").fill("second words");
    await writer.page.getByRole("button", { name: "Save" }).click();
    await bob.message("second words").waitFor();
    await bob.sees("edited", `#m${seq}`);
    await reader.go(`/t/${chat}/${seq}`);
    await reader.page.getByRole("button", { name: "React with 🎉" }).click();
    await alice.page.locator(`#m${seq} .reaction`, { hasText: "🎉 1" }).waitFor();
    await alice.page.locator(`#m${seq} .reaction`, { hasText: "🎉 1" }).click();
    await bob.page.locator(`#m${seq} .reaction`, { hasText: "🎉 2" }).waitFor();
    await writer.go(`/t/${chat}/${seq}`);
    await writer.page.getByRole("button", { name: "Delete for everybody" }).click();
    await bob.sees("This message was deleted.", `#m${seq}`);
    assert.equal(await bob.page.getByText("second words").count(), 0);
    assert.ok(await loadedOnce(alice) && await loadedOnce(bob), "no page was loaded again");
  },

  "a draft survives a reload, and goes with what was sent": async (all) => {
    const { alice } = await pair(all, "Drafts");
    await alice.page.locator("#text").fill("not yet");
    await alice.page.reload();
    assert.equal(await alice.page.locator("#text").inputValue(), "not yet");
    await alice.page.getByRole("button", { name: "Send" }).click();
    await alice.message("not yet").waitFor();
    await alice.page.reload();
    assert.equal(await alice.page.locator("#text").inputValue(), "");
  },

  "reading and writing without JavaScript": async ({ stage, open, browser, keep }) => {
    const { Window } = await import("../browser.mjs");
    const { chat } = await stage.group("Plain pages", stage.alice, stage.bob);
    await stage.alice.write(chat, "for those without scripts");
    const plain = await Window.open(browser, stage.bob, { javaScriptEnabled: false });
    keep(plain);
    const [address, token] = (await stage.bob.link()).split("#");
    await plain.page.goto(address);
    await plain.page.getByLabel("What stands behind #").fill(token);
    await plain.page.getByRole("button", { name: "Sign in" }).click();
    await plain.page.waitForURL(`${plain.base}/`);
    await plain.go(`/t/${chat}`);
    await plain.sees("for those without scripts");
    const alice = await open(stage.alice);
    await alice.open(chat);
    await plain.write("from a form");
    await plain.message("from a form").waitFor();
    await alice.message("from a form").waitFor();
    await plain.message("from a form").locator("a.tools").click();
    await plain.page.getByRole("button", { name: "React with ✅" }).click();
    await alice.page.locator(".reaction", { hasText: "✅ 1" }).waitFor();
  },

  "no badge stands beside names in a conversation or in the inbox (P4.2)": async (all) => {
    const { chat, alice, bob } = await pair(all, "No badges");
    await bob.write("from outside");
    await alice.message("from outside").waitFor();
    await alice.go("/?view=all");
    await alice.sees("No badges");
    for (const path of ["/?view=all", `/t/${chat}`]) {
      await alice.go(path);
      assert.equal(await alice.page.getByText("External", { exact: false }).count(), 0, path);
      assert.equal(await alice.page.locator("[class*=badge]").count(), 0, path);
    }
  },
};
