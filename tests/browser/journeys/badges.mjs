import assert from "node:assert/strict";
import { row } from "../acts.mjs";

/** The word stands in the row as text, and is seen without colour too: with letters on a ground that the system chooses. */
async function badge(line) {
  await line.waitFor();
  const word = line.getByText("External", { exact: true });
  assert.equal(await word.count(), 1, await line.innerText());
  assert.equal(await word.isVisible(), true);
  assert.match(await line.innerText(), /\bExternal\b/);
  const { border, ink, ground } = await word.evaluate((of) => {
    const { borderTopStyle: border, color: ink, backgroundColor: ground } = getComputedStyle(of);
    return { border, ink, ground };
  });
  assert.equal(border, "solid", "a frame, where there is no yellow");
  assert.notEqual(ink, ground);
}

const none = async (line) => {
  await line.first().waitFor();
  assert.equal(await line.getByText("External").count(), 0, await line.first().innerText());
};

/** What bob of a partner and mia of the own workspace stand in. */
async function furnish(stage) {
  const { alice, bob } = stage;
  const mia = await stage.member(alice, `mia-${Date.now() % 1_000_000}`, "Mia Own");
  const mixed = await stage.group("Quokka with guests", alice, bob, mia);
  const own = await stage.group("Quokka among ourselves", alice, mia);
  const theirs = await stage.group("Quokka of theirs", bob, alice);
  const topic = await alice.post("/threads", { subject: "Quokka topic", groups: [own.id] });
  for (const person of [bob, mia]) await stage.join(alice, "threads", topic.id, person);
  await bob.write(mixed.chat, "from outside");
  await bob.write(theirs.chat, "from outside too");
  return { mia, mixed, theirs, topic };
}

export default {
  "the word External stands at each place that P4.1 names, for who is external and nobody else": async ({ stage, open }) => {
    const { bob } = stage;
    const { mia, mixed, topic } = await furnish(stage);
    for (const options of [{}, { forcedColors: "active" }]) {
      const alice = await open(stage.alice, options);
      const line = (title) => alice.page.locator(".list li", { hasText: title });
      // The profile.
      await alice.go(`/people/${bob.id}`);
      await badge(alice.page.locator("main .head"));
      await alice.go(`/people/${mia.id}`);
      await none(alice.page.locator("main"));
      // A group's member list, and a thread's list of recipients.
      for (const path of [`/g/${mixed.id}/members`, `/t/${topic.id}/settings`]) {
        await alice.go(path);
        await badge(row(alice, bob.address));
        await none(row(alice, mia.address));
      }
      // The directory: a group that includes externals, one that an external workspace owns (P4.3), one that is neither.
      await alice.go("/directory?q=Quokka");
      await badge(line("Quokka with guests"));
      await badge(line("Quokka of theirs"));
      await line("Quokka of theirs").getByText(`owned by ${bob.workspace.name}`).waitFor();
      await none(line("Quokka among ourselves"));
      // What is found.
      await alice.go("/search?q=Quokka");
      await badge(line("Quokka with guests"));
      await badge(line("Quokka of theirs"));
      await none(line("Quokka among ourselves"));
      await alice.go(`/search?q=${bob.name}`);
      await badge(row(alice, bob.address));
      await alice.go("/people");
      await badge(row(alice, bob.address));
      await none(row(alice, mia.address));
    }
  },

  "the same person is no external to his colleagues, and those who host him are to him (P4)": async ({ stage, open }) => {
    const { alice, bob } = stage;
    const { id } = await stage.group("Seen from the other side", alice, bob);
    const his = await open(bob);
    await his.go(`/g/${id}/members`);
    await badge(row(his, alice.address));
    await none(row(his, bob.address));
    await his.go("/directory?q=Seen+from");
    await his.page.locator(".list li", { hasText: `owned by ${alice.workspace.name}` }).waitFor();
    await badge(his.page.locator(".list li"));
  },

  "no badge in a conversation, in the inbox, on a group's threads, beside any page (P4.2)": async ({ stage, open }) => {
    const { mixed, theirs, topic } = await furnish(stage);
    const alice = await open(stage.alice);
    for (const path of ["/", "/?view=all", "/?unread=true", `/t/${mixed.chat}`, `/t/${theirs.chat}`, `/t/${topic.id}`, `/g/${mixed.id}`, `/g/${theirs.id}`]) {
      await alice.go(path);
      await none(alice.page.locator("main"));
      assert.equal(await alice.page.locator("main .external").count(), 0, path);
    }
    for (const path of ["/", "/directory", `/g/${mixed.id}/members`]) {
      await alice.go(path);
      await none(alice.page.locator(".side"));
    }
  },
};
