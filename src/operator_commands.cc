// SPDX-License-Identifier: Apache-2.0
#include "operator_commands.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

#include "api/control.h"
#include "api/routes.h"
#include "cli/cli.h"
#include "cli/command_line.h"
#include "net/loop.h"

namespace fairway {
namespace {

/// PowerDNS gives up after 2 s unless it is told otherwise.
constexpr std::chrono::milliseconds patience{1500};
constexpr size_t most_waiting = 16;

std::optional<api::Method> method_of(std::string_view name) {
    for (const api::Method method : {api::Method::get, api::Method::post, api::Method::delete_})
        if (api::to_string(method) == name) return method;
    return std::nullopt;
}

tl::unexpected<cli::Failure> failed(cli::Failure::Kind kind, std::string message) {
    return tl::unexpected(cli::Failure{kind, std::move(message)});
}

}  // namespace

class OperatorCommands::Impl {
  public:
    Impl(net::Loop& loop, Control& control) : loop_(loop), control_(control) {}

    ~Impl() {
        *alive_ = false;
        {
            const std::lock_guard lock(shared_->mutex);
            shared_->stop = true;
        }
        shared_->changed.notify_all();
        if (thread_.joinable()) thread_.join();
    }
    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    void run(const pdns::OperatorCommand& command, std::function<void(std::string)> done) {
        auto arguments = cli::arguments_of_line(command.text);
        if (!arguments) return done("fairway: " + arguments.error().message + "\n");
        {
            const std::lock_guard lock(shared_->mutex);
            if (shared_->jobs.size() >= most_waiting)
                return done("fairway: too many commands at once, try again\n");
            shared_->jobs.push_back({std::move(*arguments), command.reach, std::move(done)});
        }
        if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
        shared_->changed.notify_all();
    }

  private:
    struct Job {
        std::vector<std::string> arguments;
        pdns::Reach reach = pdns::Reach::network;
        std::function<void(std::string)> done;
    };
    /// Between the threads; answers that come late find it still there.
    struct Shared {
        std::mutex mutex;
        std::condition_variable changed;
        std::deque<Job> jobs;
        bool stop = false;
        uint64_t asked = 0;  // number of the question that waits for its answer
        std::optional<api::Response> answer;
    };

    void work() {
        for (;;) {
            Job job;
            {
                std::unique_lock lock(shared_->mutex);
                shared_->changed.wait(lock, [this] { return shared_->stop || !shared_->jobs.empty(); });
                if (shared_->stop) return;
                job = std::move(shared_->jobs.front());
                shared_->jobs.pop_front();
            }
            std::ostringstream out;
            const cli::Transport transport = [this, &job](std::string_view method, const std::string& target,
                                                          std::string body, nanoseconds) {
                return ask(job.reach, method, target, std::move(body));
            };
            (void)cli::run(job.arguments, out, out, transport);
            loop_.post([alive = alive_, done = std::move(job.done), text = std::move(out).str()] {
                if (*alive) done(text);
            });
        }
    }

    /// Has the loop's thread answer a request, and waits for that.
    tl::expected<cli::HttpReply, cli::Failure> ask(pdns::Reach reach, std::string_view method,
                                                   const std::string& target, std::string body) {
        api::Request request;
        const auto known = method_of(method);
        auto parsed = api::Target::parse(target);
        if (!known || !parsed)
            return failed(cli::Failure::Kind::garbled,
                          parsed ? std::string(method) + " is no method" : parsed.error().message);
        request.method = *known;
        request.target = std::move(*parsed);
        request.body = std::move(body);
        request.caller = {"pdnsutil", reach == pdns::Reach::local};

        std::unique_lock lock(shared_->mutex);
        const uint64_t number = ++shared_->asked;
        shared_->answer.reset();
        loop_.post(
            [alive = alive_, shared = shared_, number, request = std::move(request), control = &control_] {
                if (!*alive) return;
                api::dispatch(request, *control, [shared, number](api::Response response) {
                    const std::lock_guard guard(shared->mutex);
                    if (shared->asked != number) return;  // it came too late
                    shared->answer = std::move(response);
                    shared->changed.notify_all();
                });
            });
        const bool came =
            shared_->changed.wait_for(lock, patience, [this] { return shared_->stop || shared_->answer; });
        ++shared_->asked;
        if (shared_->stop) return failed(cli::Failure::Kind::unreachable, "fairwayd is ending");
        if (!came)
            return failed(cli::Failure::Kind::timed_out,
                          "this takes longer than PowerDNS would wait; it goes on (see `fairway events`)");
        return cli::HttpReply{shared_->answer->status, shared_->answer->content_type,
                              std::move(shared_->answer->body)};
    }

    net::Loop& loop_;
    Control& control_;
    std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
    /// Outlives this object in what was posted; loop's thread only.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::thread thread_;
};

OperatorCommands::OperatorCommands(net::Loop& loop, Control& control)
    : impl_(std::make_unique<Impl>(loop, control)) {}

OperatorCommands::~OperatorCommands() = default;

void OperatorCommands::run(const pdns::OperatorCommand& command, std::function<void(std::string)> done) {
    impl_->run(command, std::move(done));
}

}  // namespace fairway
