//! A line of `kubectl`, as a person types it, to commands.
//!
//! Words, flags and their short forms are those of kubectl 1.37. Flags that change nothing here
//! (`--timeout`, `--overwrite`, ...) are accepted where people write them out of habit. It knows
//! neither the cluster's objects nor files.

use crate::api::kind::kind_of;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// A command.
#[derive(Parser, Debug, Clone)]
#[command(name = "kubectl", no_binary_name = true, disable_help_flag = true)]
#[command(disable_help_subcommand = true)]
pub(super) struct Line {
    #[command(subcommand)]
    pub verb: Verb,
    /// The namespace.
    #[arg(short, long, global = true, default_value = "default")]
    pub namespace: String,
}

/// What is to be done.
#[derive(Subcommand, Debug, Clone)]
pub(super) enum Verb {
    Apply(Files),
    Create(Create),
    Delete(Delete),
    Scale(Scale),
    #[command(subcommand)]
    Set(Set),
    #[command(subcommand)]
    Rollout(Rollout),
    Cordon(Nodes),
    Uncordon(Nodes),
    Drain(Drain),
    Taint(Changes),
    Label(Changes),
    Annotate(Changes),
    Expose(Expose),
    Autoscale(Autoscale),
}

#[derive(Args, Debug, Clone)]
pub(super) struct Files {
    #[arg(short, long, required = true)]
    pub filename: Vec<PathBuf>,
    #[arg(long)]
    pub server_side: bool,
}

/// `-f FILE`, or what is to be made.
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Create {
    #[arg(short, long)]
    pub filename: Vec<PathBuf>,
    #[command(subcommand)]
    pub what: Option<New>,
}

/// Objects that a line makes without a file.
#[derive(Subcommand, Debug, Clone)]
pub(super) enum New {
    #[command(subcommand)]
    Secret(NewSecret),
    #[command(visible_alias = "cm")]
    Configmap(Content),
}

/// Types of Secrets.
#[derive(Subcommand, Debug, Clone)]
pub(super) enum NewSecret {
    Generic(Content),
    Tls(Content),
    DockerRegistry(Content),
}

/// Of what it holds only the keys count, and files are not read.
#[derive(Args, Debug, Clone)]
pub(super) struct Content {
    pub name: String,
    /// `KEY=VALUE`.
    #[arg(long)]
    pub from_literal: Vec<String>,
    /// `[KEY=]PATH`.
    #[arg(long)]
    pub from_file: Vec<String>,
    #[arg(long = "type")]
    pub kind: Option<String>,
    #[arg(long)]
    pub cert: Option<String>,
    #[arg(long)]
    pub key: Option<String>,
    #[arg(long)]
    pub docker_server: Option<String>,
    #[arg(long)]
    pub docker_username: Option<String>,
    #[arg(long)]
    pub docker_password: Option<String>,
    #[arg(long)]
    pub docker_email: Option<String>,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Delete {
    /// `KIND NAME...` or `KIND/NAME...`.
    pub what: Vec<String>,
    #[arg(short, long)]
    pub filename: Vec<PathBuf>,
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    #[arg(long)]
    pub all: bool,
    #[arg(long, default_value = "background", value_parser = ["background", "foreground", "orphan"])]
    pub cascade: String,
    #[arg(long)]
    pub grace_period: Option<u64>,
    #[arg(long)]
    pub force: bool,
    #[arg(long)]
    pub now: bool,
    #[arg(long, num_args = 0..=1, default_missing_value = "true")]
    pub wait: Option<bool>,
    #[arg(long)]
    pub ignore_not_found: bool,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Scale {
    #[arg(required = true)]
    pub what: Vec<String>,
    #[arg(long)]
    pub replicas: u32,
}

#[derive(Subcommand, Debug, Clone)]
pub(super) enum Set {
    /// `KIND/NAME CONTAINER=IMAGE...`.
    Image {
        #[arg(required = true)]
        what: Vec<String>,
    },
    /// `KIND/NAME --limits=cpu=1,memory=1Gi --requests=cpu=500m`.
    Resources(SetResources),
}

#[derive(Args, Debug, Clone)]
pub(super) struct SetResources {
    #[arg(required = true)]
    pub what: Vec<String>,
    /// Containers by name; `*`: all.
    #[arg(short, long, default_value = "*")]
    pub containers: String,
    #[arg(long, value_delimiter = ',')]
    pub limits: Vec<String>,
    #[arg(long, value_delimiter = ',')]
    pub requests: Vec<String>,
}

#[derive(Subcommand, Debug, Clone)]
pub(super) enum Rollout {
    Pause(Named),
    Resume(Named),
    Restart(Named),
    Undo(Undo),
}

#[derive(Args, Debug, Clone)]
pub(super) struct Named {
    #[arg(required = true)]
    pub what: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Undo {
    #[arg(required = true)]
    pub what: Vec<String>,
    #[arg(long, default_value_t = 0)]
    pub to_revision: u64,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Nodes {
    #[arg(required = true)]
    pub nodes: Vec<String>,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Drain {
    #[arg(required = true)]
    pub nodes: Vec<String>,
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub ignore_daemonsets: Option<bool>,
    #[arg(long)]
    pub delete_emptydir_data: bool,
    #[arg(long)]
    pub force: bool,
    #[arg(long)]
    pub timeout: Option<String>,
}

/// `KIND NAME... KEY=VALUE... KEY-...`.
#[derive(Args, Debug, Clone)]
pub(super) struct Changes {
    #[arg(required = true)]
    pub words: Vec<String>,
    #[arg(short = 'l', long)]
    pub selector: Option<String>,
    #[arg(long)]
    pub overwrite: bool,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Expose {
    #[arg(required = true)]
    pub what: Vec<String>,
    #[arg(long)]
    pub port: Option<u16>,
    #[arg(long)]
    pub target_port: Option<u16>,
    #[arg(long)]
    pub name: Option<String>,
    #[arg(long = "type", default_value = "ClusterIP")]
    pub kind: String,
}

#[derive(Args, Debug, Clone)]
pub(super) struct Autoscale {
    #[arg(required = true)]
    pub what: Vec<String>,
    #[arg(long, default_value_t = 1)]
    pub min: u32,
    #[arg(long)]
    pub max: u32,
    /// Per cent of the request.
    #[arg(long, visible_alias = "cpu")]
    pub cpu_percent: Option<String>,
}

/// Reads a line; an error is a message and, perhaps, a hint.
pub(super) fn parse(line: &str) -> Result<Line, (String, Option<String>)> {
    let words = shlex::split(line).ok_or(("a quote is not closed".to_owned(), None))?;
    let words = words.iter().skip_while(|word| *word == "kubectl");
    Line::try_parse_from(words).map_err(|error| {
        let text = error.to_string();
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let tip = lines.clone().find_map(|line| line.strip_prefix("tip: "));
        let usage = lines.find_map(|line| line.strip_prefix("Usage: "));
        (first, tip.or(usage).map(str::to_owned))
    })
}

/// Objects in `KIND NAME...`, `KIND/NAME...` or `KIND` alone.
pub(super) fn objects(words: &[String]) -> Result<Vec<(&'static str, String)>, String> {
    let kind = |word: &str| kind_of(word).ok_or_else(|| format!("`{word}` is no kind known here"));
    if words.iter().any(|word| word.contains('/')) {
        let split = |word: &String| match word.split_once('/') {
            Some((kind_word, name)) => Ok((kind(kind_word)?, name.to_owned())),
            None => Err(format!("`{word}` is no KIND/NAME")),
        };
        return words.iter().map(split).collect();
    }
    let Some((first, names)) = words.split_first() else {
        return Err("expected KIND/NAME, or KIND and a name".to_owned());
    };
    let kind = kind(first)?;
    if names.is_empty() {
        return Ok(vec![(kind, String::new())]);
    }
    Ok(names.iter().map(|name| (kind, name.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_kubectl_reads_them() {
        let rows = [
            ("the program's name may stand before it", "kubectl scale deploy/web --replicas=3"),
            ("or not", "scale deployment web --replicas 3"),
            ("flags may come first", "delete --cascade=orphan rs web"),
            ("several objects", "delete pod a b c --grace-period=0 --force"),
            ("by labels", "delete pods -l app=web,tier=front -n shop"),
            ("images", "set image deployment/web app=web:v2 *=base:1"),
            (
                "resources",
                "set resources deployment web -c=app --limits=cpu=200m,memory=512Mi \
                 --requests=cpu=100m,memory=256Mi",
            ),
            ("rollouts", "rollout undo deployment/web --to-revision=2"),
            ("restarts", "rollout restart deployment web"),
            (
                "a drain as people type it",
                "drain pool-1 --ignore-daemonsets --delete-emptydir-data",
            ),
            ("taints come and go", "taint nodes pool-1 dedicated=db:NoSchedule old-"),
            ("objects of a file", "create -f web.yaml"),
            (
                "a Secret",
                "create secret generic web --from-literal=user=me --from-literal pass=x -n a",
            ),
            ("one with a certificate", "create secret tls web --cert=a/tls.crt --key=a/tls.key"),
            ("a ConfigMap", "create cm web --from-file=a/web.conf"),
            ("services", "expose deployment web --port=80 --name=front"),
            ("autoscalers", "autoscale deployment web --min=2 --max=9 --cpu-percent=60"),
        ];
        for (sentence, line) in rows {
            assert!(parse(line).is_ok(), "{sentence}: {:?}", parse(line));
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_hint() {
        let rows = [
            ("scale deploy/web --replica=3", "unexpected argument '--replica'"),
            ("scael deploy/web --replicas=3", "unrecognized subcommand 'scael'"),
            ("create secret opaque web", "unrecognized subcommand 'opaque'"),
            ("scale deploy/web", "the following required arguments were not provided"),
            ("scale deploy/web --replicas=many", "invalid value 'many'"),
            ("delete 'pod", "a quote is not closed"),
        ];
        for (line, message) in rows {
            let (found, _) = parse(line).unwrap_err();
            assert!(found.starts_with(message), "{line}: {found}");
        }
    }

    #[test]
    fn objects_are_named_in_two_ways() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let rows = [
            ("deploy/web", vec![("Deployment", "web")]),
            ("deployment.apps/web sts/db", vec![("Deployment", "web"), ("StatefulSet", "db")]),
            ("pods a b", vec![("Pod", "a"), ("Pod", "b")]),
            ("ns", vec![("Namespace", "")]),
        ];
        for (line, expected) in rows {
            let expected = expected.iter().map(|(kind, name)| (*kind, name.to_string()));
            assert_eq!(objects(&words(line)).unwrap(), expected.collect::<Vec<_>>(), "{line}");
        }
        assert!(objects(&words("gizmo/web")).is_err());
    }
}
