// SPDX-License-Identifier: Apache-2.0
#pragma once
// One writer replaces an immutable value; many reader threads use it without a lock or an allocation on their
// hot path. A reader looks at one atomic number per batch and takes the mutex only when that number has
// changed. Old values are freed by the writer, never by a reader, so that no answer waits for a large table's
// destructor.

#include <atomic>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace fairway {

template <class T>
class Published {
  public:
    explicit Published(std::shared_ptr<const T> first) : current_(std::move(first)) {}
    Published(const Published&) = delete;
    Published& operator=(const Published&) = delete;

    /// Writer's thread only. Values that no reader uses any more are freed here or in collect().
    void publish(std::shared_ptr<const T> next) {
        {
            const std::lock_guard lock(mutex_);
            std::swap(current_, next);
            version_.fetch_add(1, std::memory_order_release);
        }
        retired_.push_back(std::move(next));
        collect();
    }
    /// Writer's thread only, now and then: frees the retired values that every reader has let go of.
    void collect() {
        std::erase_if(retired_, [](const std::shared_ptr<const T>& value) { return value.use_count() == 1; });
    }
    /// Any thread; takes the mutex.
    [[nodiscard]] std::shared_ptr<const T> load() const {
        const std::lock_guard lock(mutex_);
        return current_;
    }
    [[nodiscard]] uint64_t version() const noexcept { return version_.load(std::memory_order_acquire); }

    /// One thread's view; make one per reader thread. Must not outlive the Published.
    class Reader {
      public:
        explicit Reader(const Published& source) : source_(source) { refresh(source_.version()); }
        /// The current value; stays valid until the next call. Call once per batch.
        const T& get() { return *shared(); }
        /// The same, for who must hold on to it for longer than a batch.
        const std::shared_ptr<const T>& shared() {
            const uint64_t version = source_.version();
            if (version != version_) refresh(version);
            return value_;
        }
        /// Tells the value that was given last from every other one that this reader has given.
        [[nodiscard]] uint64_t version() const noexcept { return version_; }

      private:
        void refresh(uint64_t version) {
            value_ = source_.load();
            version_ = version;
        }

        const Published& source_;
        uint64_t version_ = 0;
        std::shared_ptr<const T> value_;
    };

  private:
    mutable std::mutex mutex_;
    std::shared_ptr<const T> current_;
    std::atomic<uint64_t> version_{1};
    std::vector<std::shared_ptr<const T>> retired_;
};

}  // namespace fairway
