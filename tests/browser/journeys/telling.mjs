import assert from "node:assert/strict";

export default {
  "what an invitation will do is said while it is typed (P2.3, P2.6)": async ({ stage, open }) => {
    const { id } = await stage.group("Foreseen", stage.alice);
    const mia = await stage.member(stage.alice, `fay-${Date.now() % 100_000}`, "Fay Foreseen");
    const alice = await open(stage.alice);
    await alice.go(`/g/${id}/members`);
    await alice.page.getByText("Add new member").click();
    const box = alice.page.getByLabel("Name or e-mail");
    for (const [who, words] of [
      [stage.bob.address, `${stage.bob.workspace.name} (${stage.bob.workspace.domain}) is asked`],
      [stage.bob.address, "what is written from then on"],
      ["jo@freelance.example", "An e-mail will be sent to jo@freelance.example"],
      [mia.name, "is a colleague, and in at once. They will see everything"],
      ["no-one@" + stage.alice.workspace.domain, "Nobody of this workspace has the address"],
      ["Nobody Known", "No contact is called"],
      ["a@b", "the domain is not whole"],
    ]) {
      await box.fill(who);
      await alice.sees(words, "[data-foreseen]");
    }
    await box.fill(stage.bob.address);
    await alice.page.getByLabel("They see").selectOption("all");
    await alice.sees("They will see everything that was written", "[data-foreseen]");
    assert.equal((await stage.alice.get(`/invitations/sent?scope=${id}`)).invitations.length, 0, "nothing is sent by that");
  },

  "of what concerns somebody he is told where he does not look, and never what was written (P7.3)": async ({ stage, open }) => {
    const dm = await stage.alice.post("/dms", { address: stage.bob.address });
    await stage.alice.write(dm.id, "the first words");
    // Strangers ask first (P2.4).
    const asked = (await stage.bob.get("/invitations")).invitations.find((one) => one.scope === dm.id);
    if (asked) await stage.bob.post(`/invitations/${asked.id}/accept`);
    const { chat } = await stage.group("Noise", stage.alice, stage.bob);
    const bob = await open(stage.bob);
    await bob.go(`/t/${dm.id}`);
    await bob.sees("the first words");
    await bob.live("/people");
    await stage.alice.write(chat, "of no concern");
    await stage.alice.write(dm.id, "for your eyes");
    const line = bob.page.locator("#notices", { hasText: `${stage.alice.name} wrote to you` });
    await line.waitFor();
    assert.equal(await bob.page.getByText("for your eyes").count(), 0);
    assert.equal(await bob.page.locator("#notices p").count(), 1, "the chat of a group is not told of by default");
    await bob.page.waitForFunction(() => /^\(\d+\+?\) /.test(document.title));
    await line.getByRole("link").click();
    await bob.sees("for your eyes");
    await bob.go("/me");
    await bob.page.getByLabel("Tell me of").selectOption("everything");
    await bob.page.locator("form[action='/me/notifications']").getByRole("button", { name: "Save" }).click();
    await bob.sees("from now on");
    await bob.live("/people");
    await stage.alice.write(chat, "now of concern");
    await line.waitFor();
    await stage.bob.ask("PATCH", "/me/notifications", { told: "direct" });
  },

  "a message is edited, reacted to and deleted without leaving its conversation": async ({ stage, open }) => {
    const { chat } = await stage.group("In place", stage.alice, stage.bob);
    const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
    await Promise.all([alice.open(chat), bob.open(chat)]);
    await alice.write("wrods");
    await bob.message("wrods").waitFor();
    await alice.page.locator("#text").fill("a draft that stays");
    const sheet = alice.page.locator("dialog.sheet");
    const open_ = async (text) => { await alice.message(text).locator("a.tools").click(); await sheet.waitFor(); };
    await open_("wrods");
    await sheet.getByLabel("The text").fill("words");
    await sheet.getByRole("button", { name: "Save" }).click();
    await bob.message("words").waitFor();
    await sheet.waitFor({ state: "detached" });
    await open_("words");
    await sheet.getByRole("button", { name: "React with 👀" }).click();
    await bob.page.locator(".reaction", { hasText: "👀 1" }).waitFor();
    await sheet.waitFor({ state: "detached" });
    await open_("words");
    await alice.page.keyboard.press("Escape");
    await sheet.waitFor({ state: "detached" });
    await open_("words");
    await sheet.getByRole("button", { name: "Delete for everybody" }).click();
    await bob.sees("This message was deleted.");
    assert.equal(await alice.page.locator("#text").inputValue(), "a draft that stays");
  },
};
