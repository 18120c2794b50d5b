// A connection to PostgreSQL that outlives restarts of the server.
#pragma once

#include <libpq-fe.h>

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lathe::experiments {

// Rows of text, as the server sends them.
class PostgresRows {
 public:
  explicit PostgresRows(PGresult* result) : result_(result, PQclear) {}
  int count() const { return PQntuples(result_.get()); }
  std::string text(int row, int column) const { return PQgetvalue(result_.get(), row, column); }
  std::int64_t integer(int row, int column) const { return std::stoll(text(row, column)); }
  double number(int row, int column) const { return std::stod(text(row, column)); }

 private:
  std::unique_ptr<PGresult, decltype(&PQclear)> result_;
};

// Thread-safe: one statement at a time.
class PostgresConnection {
 public:
  // Throws UserError where the server does not take the connection. patience: how long a server that has gone is waited for.
  PostgresConnection(std::string url, std::chrono::duration<double> patience);

  // One statement, in a transaction of its own, with its parameters as text. Where the connection breaks it is sent again, so it must be
  // one that may be carried out twice. Throws std::runtime_error for what the server complains of, and once patience is over; SearchStopped
  // where the user interrupts the wait.
  PostgresRows execute(const std::string& statement, const std::vector<std::string>& parameters = {});

  // Several statements in one transaction, none of them where one fails.
  void execute_all(const std::vector<std::string>& statements);

 private:
  using Connection = std::unique_ptr<PGconn, decltype(&PQfinish)>;
  using Clock = std::chrono::steady_clock;

  static Connection connect(const std::string& url);
  // The rows, or nothing where the connection broke. Throws where the server complains.
  std::optional<PostgresRows> try_once(const std::string& statement, const std::vector<std::string>& parameters);
  // Waits longer each time that it is called for one statement, and connects again.
  void reconnect(Clock::time_point since, std::chrono::milliseconds& pause);

  const std::string url_;
  const std::chrono::duration<double> patience_;
  std::mutex mutex_;
  Connection connection_;
};

}  // namespace lathe::experiments
