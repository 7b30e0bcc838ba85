//! A thread of acme, addressed to a group of initech too: each of the three links cut in turn (spec 11.4).
//!
//! Duty: who reads on, who waits for whom, whom a new message reaches. Never: a shorter wait than the leases take.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    Stage,
    removal_story::{LEASE, Place},
    script::Script,
    story::{pending, reads, texts, write},
    watch,
};
use crate::{
    cli::person::{Person, text},
    node::clock,
};

const ACME: usize = 0;
const GLOBEX: usize = 1;
const INITECH: usize = 2;

/// Who reads the thread, and through what.
struct Cast {
    /// Its starter.
    alice: Person,
    /// Of acme, through initech's group only.
    ada: Person,
    /// Of globex, through acme's group.
    bob: Person,
    /// Of globex, through initech's group.
    gerd: Person,
    /// Of initech, through its own group.
    carol: Person,
    thread: String,
    said: Vec<String>,
}

/// What a cut link means once the leases ran out.
struct Cut<'a> {
    link: (usize, usize),
    /// Who may read nothing, and whom they wait for.
    waits: &'a [(&'a Person, &'static str)],
    /// Whom a new message reaches.
    reached: &'a [&'a Person],
    /// Who reads what was there, gets nothing new, and whose words wait.
    stays: &'a [&'a Person],
}

/// All of it.
pub(super) async fn play(script: &mut Script, stage: &mut Stage) -> Result<()> {
    let mut cast = script.step("a thread of acme to a group of initech", set(stage)).await?;
    let said = {
        let Cast { alice, ada, bob, gerd, carol, .. } = &cast;
        let cut = Cut {
            link: (ACME, GLOBEX),
            waits: &[(bob, "acme.example"), (gerd, "acme.example")],
            reached: &[alice, ada, carol],
            stays: &[],
        };
        script.step("the link acme-globex is cut", cut.play(stage, &cast, "the first cut")).await?
    };
    cast.said.extend(said);
    let said = {
        let Cast { alice, ada, bob, gerd, carol, .. } = &cast;
        let cut = Cut {
            link: (ACME, INITECH),
            waits: &[(carol, "acme.example"), (ada, "initech.example")],
            reached: &[alice, bob],
            stays: &[gerd],
        };
        script.step("the link acme-initech is cut", cut.play(stage, &cast, "the second cut")).await?
    };
    cast.said.extend(said);
    let Cast { alice, ada, bob, gerd, carol, .. } = &cast;
    let cut = Cut {
        link: (GLOBEX, INITECH),
        waits: &[(gerd, "initech.example")],
        reached: &[alice, ada, bob, carol],
        stays: &[],
    };
    script.step("the link globex-initech is cut", cut.play(stage, &cast, "the third cut")).await.map(drop)
}

async fn set(stage: &mut Stage) -> Result<(Cast, String)> {
    let (alice, bob, carol) =
        (stage.admin(ACME).await?, stage.admin(GLOBEX).await?, stage.admin(INITECH).await?);
    let (ada, gerd) = (stage.add(ACME, "ada", "Ada").await?, stage.add(GLOBEX, "gerd", "Gerd").await?);
    let ours = Place::make(&alice, "Terms", &[&bob], "ours").await?;
    let theirs = Place::make(&carol, "Legal", &[&alice, &ada, &gerd], "theirs").await?;
    let body = json!({ "subject": "Terms of both", "groups": [ours.group] });
    let thread = text(&alice.post("/threads", body).await?, "/id")?;
    let path = format!("/threads/{thread}");
    let lease = json!({ "lease": LEASE });
    alice.client().await?.call(hyper::Method::PATCH, &path, Some(&lease)).await?;
    alice.post(&format!("{path}/groups"), json!({ "group": theirs.group })).await?;
    carol.until(&path, |_| true).await?;
    let cast = Cast { alice, ada, bob, gerd, carol, thread, said: vec!["the terms".into()] };
    write(&cast.alice, &cast.thread, "the terms").await?;
    cast.everybody_reads(&cast.said).await?;
    Ok((cast, "read by alice, bob (acme's group), ada, carol and gerd (initech's group)".into()))
}

impl Cast {
    async fn everybody_reads(&self, said: &[String]) -> Result<()> {
        let said: Vec<&str> = said.iter().map(String::as_str).collect();
        for person in [&self.alice, &self.ada, &self.bob, &self.gerd, &self.carol] {
            reads(person, &self.thread, &said).await.with_context(|| person.address.clone())?;
        }
        Ok(())
    }

    async fn sees(&self, person: &Person) -> Result<watch::Look> {
        watch::look(person, &format!("/threads/{}/messages", self.thread)).await
    }
}

impl Cut<'_> {
    /// Cuts, waits for the end of the leases, has alice write, looks at everybody, mends. What was written.
    async fn play(&self, stage: &Stage, cast: &Cast, words: &str) -> Result<(Vec<String>, String)> {
        let (a, b) = self.link;
        stage.relay.set(a, b, false);
        let cut = clock::now();
        let deadline = cut.plus(LEASE * 1000 + watch::SLACK);
        let over = self.leases_run_out(cast, deadline).await?.since(cut);
        write(&cast.alice, &cast.thread, words).await?;
        for person in self.reached {
            let has = |page: &Value| texts(page).last().is_some_and(|last| last == words);
            person.until(&format!("/threads/{}/messages", cast.thread), has).await?;
        }
        self.holds(cast, words).await?;
        let mut written = vec![words.to_owned()];
        for person in self.stays {
            let waiting = format!("{words}, as {} says", person.address);
            pending(person, &cast.thread, &waiting).await?;
            written.push(waiting);
        }
        stage.relay.set(a, b, true);
        cast.everybody_reads(&[cast.said.clone(), written.clone()].concat()).await?;
        let names = |people: Vec<&Person>| {
            let local = people
                .into_iter()
                .map(|person| person.address.split('@').next().unwrap_or_default().to_owned());
            local.collect::<Vec<_>>().join(", ")
        };
        let mut detail = format!(
            "after {over} ms {} read nothing, {} read on",
            names(self.waits.iter().map(|(person, _)| *person).collect()),
            names(self.reached.to_vec())
        );
        if !self.stays.is_empty() {
            detail +=
                &format!(", {} without what is new, and what he wrote waited", names(self.stays.to_vec()));
        }
        Ok((written, detail + "; mended by itself"))
    }

    /// Who may read on reads on without a break; who may not says whom it waits for, in time. When the last one did.
    async fn leases_run_out(
        &self,
        cast: &Cast,
        deadline: crate::time::Millis,
    ) -> Result<crate::time::Millis> {
        loop {
            for person in self.reached.iter().chain(self.stays) {
                let look = cast.sees(person).await?;
                ensure!(look.is_read(), "{} cannot read: {look:?}", person.address);
            }
            let mut open = 0;
            for (person, owner) in self.waits {
                let look = cast.sees(person).await?;
                ensure!(look.is_read() || look.waits_for(owner), "{}: {look:?}", person.address);
                ensure!(
                    !look.is_read() || look.asked <= deadline,
                    "{} still reads: {look:?}",
                    person.address
                );
                open += usize::from(look.is_read());
            }
            if open == 0 {
                return Ok(clock::now());
            }
            watch::until(clock::now().plus(50)).await;
        }
    }

    /// After the new message: who waits still waits, who gets nothing new has nothing new.
    async fn holds(&self, cast: &Cast, words: &str) -> Result<()> {
        for (person, owner) in self.waits {
            let look = cast.sees(person).await?;
            ensure!(look.waits_for(owner), "{} does not wait: {look:?}", person.address);
        }
        for person in self.stays {
            let look = cast.sees(person).await?;
            let shown = texts(&look.body);
            ensure!(
                look.is_read() && shown == cast.said,
                "{} sees {shown:?}, not without {words}",
                person.address
            );
        }
        Ok(())
    }
}
