import assert from "node:assert/strict";
import { until } from "../stage.mjs";

/** How long the membership lasts: enough to accept it and to open a page on a busy machine. */
const LASTS = 15_000;

export default {
  "a membership with an end date ends by itself while its reader looks (P2.8)": async ({ stage, open }) => {
    const { alice, bob } = stage;
    const { id, chat } = await stage.group("For a moment", alice);
    await alice.write(chat, "words for a moment");
    const [his, hers] = [await open(bob), await open(alice)];
    await hers.live(`/g/${id}/members`);
    const end = Date.now() + LASTS;
    await alice.post(`/groups/${id}/members`, { address: bob.address, history: "all", until: end });
    const invitation = await until("the invitation", async () =>
      (await bob.get("/invitations")).invitations.find(({ scope }) => scope === id));
    await bob.post(`/invitations/${invitation.id}/accept`);
    await until("the chat at bob's", async () => (await bob.call("GET", `/threads/${chat}`)).ok);
    his.expect(/404/);
    await his.open(chat);
    await his.sees("words for a moment");
    const row = hers.page.locator(".people li", { hasText: bob.address });
    await row.getByText("until").waitFor();
    await his.sees("You are no longer in this conversation");
    assert.ok(Date.now() >= end, "not before its time");
    assert.equal(await his.page.getByText("words for a moment").count(), 0);
    await row.waitFor({ state: "detached" });
  },
};
