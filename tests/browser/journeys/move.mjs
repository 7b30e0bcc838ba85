import assert from "node:assert/strict";
import { until } from "../stage.mjs";

export default {
  "a group moves to a partner: offered, taken back, offered again, taken over; members and history stay (P5.4)": async ({ stage, open }) => {
    const name = "To be moved";
    const { id, chat } = await stage.group(name, stage.alice, stage.bob);
    await stage.alice.write(chat, "written before the move");
    const theirs = stage.bob.workspace.name;
    const [alice, bob] = await Promise.all([open(stage.alice), open(stage.bob)]);
    const { page } = alice;
    await alice.go(`/g/${id}/settings`);
    const offer = async () => {
      await page.getByRole("link", { name: "Choose a partner" }).click();
      await page.getByLabel("To").selectOption({ label: `${theirs} (${stage.bob.workspace.domain})` });
      await page.getByRole("button", { name: "Go on" }).click();
      await alice.sees(`Offer ${name} to ${theirs}?`);
      await alice.sees("with 1 entry");
      await page.getByRole("button", { name: "Offer it" }).click();
      await alice.sees("Its owner is to change");
    };
    await offer();
    await page.getByRole("button", { name: "Take the offer back" }).click();
    await page.getByRole("link", { name: "Choose a partner" }).waitFor();
    // Who has to answer sees it come.
    const desk = await open(stage.bob);
    await desk.live("/admin/approvals");
    await offer();
    await desk.page.locator("#moves ~ .list li", { hasText: name }).waitFor();
    await desk.close();

    // The second offer, not the one that is on its way out.
    await until("the offer at bob's", async () => {
      const [one] = (await stage.bob.get("/moves")).moves.filter(({ group }) => group === id);
      return one.status === "offered" && one.id === (await stage.alice.get("/moves")).moves[0].id;
    });
    // Bob's settings of the group lead to his approvals, where he takes it over.
    await bob.live(`/g/${id}/settings`);
    await bob.page.getByRole("link", { name: "Take it over, or decline" }).click();
    const row = bob.page.locator("#moves ~ .list li", { hasText: name });
    await row.getByRole("button", { name: /Take over/ }).click();
    const moved = async () => {
      await alice.go("/directory?q=moved");
      return alice.page.locator(".list li", { hasText: name }).getByText(`owned by ${theirs}`).count();
    };
    await until("the move at alice's", moved);

    // Who was in it still is, with what was said, at both; and it goes on.
    for (const [window, person] of [[alice, stage.alice], [bob, stage.bob]]) {
      await window.go(`/g/${id}/members`);
      for (const member of [stage.alice, stage.bob]) await window.sees(member.address, ".people");
      await window.open(chat);
      await window.message("written before the move").waitFor();
      await window.write(`${person.name} after the move`);
      await window.page.locator("#messages .message", { hasText: `${person.name} after the move` }).waitFor();
    }
    await alice.message(`${stage.bob.name} after the move`).waitFor();
    await alice.go(`/g/${id}/settings`);
    assert.equal(await page.getByText("Move it to another workspace").count(), 0, "it is not hers to move any more");
    await bob.go(`/g/${id}/settings`);
    await bob.page.getByRole("link", { name: "Choose a partner" }).waitFor();
  },
};
