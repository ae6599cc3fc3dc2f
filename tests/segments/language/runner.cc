#include "segments/language/runner.h"

#include <algorithm>
#include <map>
#include <sstream>

#include "segments/language/calls.h"
#include "segments/language/expectations.h"
#include "segments/language/script_error.h"
#include "segments/language/settings.h"
#include "segments/language/stage.h"
#include "segments/language/words.h"

namespace braid::segments {

namespace {

/// How long `* >` waits.
constexpr Duration kLongestWait = 3600s;

std::string at_time(Time time) {
  std::ostringstream text;
  text.precision(9);
  text << std::chrono::duration<double>(time.time_since_epoch()).count();
  return text.str();
}

class Runner {
 public:
  explicit Runner(const Script& script)
      : script_(script), settings_(read_settings(script)), stage_(settings_), application_(stage_) {}

  void run() {
    for (const Line& line : script_.lines) {
      try {
        play(line);
      } catch (const ScriptError& error) {
        throw ScriptError(where(line) + error.what());
      }
    }
    stage_.settle();
    if (!stage_.sent().empty() && !script_.lines.empty())
      throw ScriptError(where(script_.lines.back()) + "after the end came: " + show(stage_.sent().front()));
  }

 private:
  std::string where(const Line& line) const {
    return line.file + ":" + std::to_string(line.number) + ": " + line.text + "\n    ";
  }
  std::string show(const Stage::Sent& sent) const {
    const Peer::Arrival& arrival = sent.arrival;
    return at_time(sent.at) + " " + (arrival.path == "1" ? "" : "path " + arrival.path + " ") + "> " +
           arrival.segment.to_string();
  }

  /// The script's clock: where a relative time counts from.
  std::pair<Time, Time> window_of(const When& when) const {
    switch (when.kind) {
      case When::Kind::kNow:
        return {clock_, clock_};
      case When::Kind::kRelative:
        return {clock_ + when.from, clock_ + when.to};
      case When::Kind::kAbsolute:
        return {Time(when.from), Time(when.to)};
      case When::Kind::kAny:
        return {clock_, clock_ + kLongestWait};
    }
    return {clock_, clock_};
  }

  void play(const Line& line) {
    if (line.verb == ">") return expect_segment(line);
    const Time at = window_of(line.when).first;
    if (at < clock_) throw ScriptError("it is later than that: " + at_time(clock_));
    if (line.verb == "discard") {
      stage_.run_to(at);
      clock_ = at;
      stage_.sent().clear();
      return;
    }
    // What the engine sends meanwhile has to be expected, and at that very instant its timers come first.
    if (!stage_.run_until_sent(at)) stage_.run_to(at);
    // A look at the state is no event: what was sent at this instant may be expected after it.
    const bool is_look = line.when.kind == When::Kind::kNow && is_expectation(line.verb);
    if (!stage_.sent().empty() && !is_look)
      throw ScriptError("before that came: " + show(stage_.sent().front()));
    clock_ = at;
    if (line.verb == "<") return inject(line);
    if (line.verb == "icmp") return inject_icmp(line);
    if (line.verb == "reopen") {
      ends_.erase(line.path);
      application_.forget_streams();
      return stage_.peer().reopen(line.path, static_cast<uint32_t>(to_unsigned(line.rest)));
    }
    if (line.verb == "nothing" || application_.call(line) || expect(stage_, application_, line)) {
      stage_.settle();
      return;
    }
    throw ScriptError("not understood: " + line.verb);
  }

  int interface_of(const std::string& path) const {
    return static_cast<int>(to_number(path.substr(0, 1))) - 1;
  }

  void inject(const Line& line) {
    const SegmentText segment = parse_segment(line.rest);
    stage_.deliver(interface_of(line.path), stage_.peer().build(line.path, segment));
  }

  void inject_icmp(const Line& line) {
    Words words(split_words(line.rest));
    const std::string kind = words.take();
    uint32_t mtu = 0;
    int64_t seq = 0;
    while (!words.is_empty()) {
      if (words.take_if("mtu")) {
        mtu = static_cast<uint32_t>(to_number(words.take()));
      } else if (words.take_if("seq")) {
        seq = to_number(words.take());
      } else {
        throw ScriptError("not understood: " + words.peek());
      }
    }
    stage_.deliver(interface_of(line.path), stage_.peer().build_icmp(line.path, kind, mtu, seq));
  }

  void expect_segment(const Line& line) {
    SegmentText expected = parse_segment(line.rest);
    const auto [from, to] = window_of(line.when);
    const Duration slack = settings_.tolerance;
    if (!stage_.run_until_sent(to + slack)) {
      stage_.run_to(to + slack);
      throw ScriptError("nothing came until " + at_time(stage_.now()));
    }
    const Stage::Sent came = stage_.sent().front();
    stage_.sent().pop_front();
    if (came.at < from - slack || came.at > to + slack)
      throw ScriptError("at another time came: " + show(came));
    if (came.arrival.path != line.path) throw ScriptError("on another path came: " + show(came));
    complete(line.path, expected, came);
    if (const auto why = difference(expected, came.arrival.segment))
      throw ScriptError(*why + "\n    came: " + show(came));
    if (!came.arrival.complaint.empty())
      throw ScriptError(came.arrival.complaint + "\n    came: " + show(came));
    note(line.path, came.arrival.segment);
    clock_ = std::max(clock_, came.at);
  }

  /// seq and ack, where the line does not say: what follows from the segments before.
  void complete(const std::string& path, SegmentText& expected, const Stage::Sent& came) {
    if (!expected.seq.has_value() && expected.flags != "R")
      expected.seq = expected.has_flag('S') ? 0 : ends_[path];
    if (!expected.ack.has_value() && expected.has_flag('.')) {
      const Path* known = stage_.peer().find(path);
      expected.ack = known == nullptr ? came.arrival.segment.ack.value_or(0) : known->peer_end;
    }
  }
  void note(const std::string& path, const SegmentText& segment) {
    if (segment.has_flag('R')) return;
    const int64_t end = *segment.seq + segment.len.value_or(0) + (segment.has_flag('S') ? 1 : 0) +
                        (segment.has_flag('F') ? 1 : 0);
    ends_[path] = segment.has_flag('S') ? end : std::max(ends_[path], end);
  }

  const Script& script_;
  Settings settings_;
  Stage stage_;
  Application application_;
  Time clock_{};
  std::map<std::string, int64_t> ends_;  // of what the script has seen, which may lag behind what was sent
};

}  // namespace

std::string run_script(const Script& script) {
  try {
    Runner(script).run();
    return {};
  } catch (const ScriptError& error) {
    return error.what();
  }
}

std::string run_script(const std::string& file) {
  try {
    return run_script(read_script(file));
  } catch (const ScriptError& error) {
    return error.what();
  }
}

}  // namespace braid::segments
