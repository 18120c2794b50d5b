#include "experiments/study/postgres_connection.h"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string_view>
#include <thread>
#include <tuple>

#include "experiments/interruption.h"
#include "models/base/error.h"

namespace lathe::experiments {
namespace {

constexpr std::chrono::milliseconds kFirstPause(100), kLongestPause(5000);  // between two tries to connect

// libpq's messages end with line ends, and have several lines where several hosts were tried.
std::string one_line(const std::string& text) {
  std::string line;
  for (const char c : text) {
    const bool is_blank = c == '\n' || c == '\t' || c == ' ';
    if (!is_blank) line += c;
    if (is_blank && !line.empty() && line.back() != ' ') line += ' ';
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

// The server goes down, comes up, or gave way to another transaction: trying again helps. PostgreSQL's manual, appendix A.
bool is_passing(const PGresult* result) {
  constexpr std::array<std::string_view, 5> kCodes{"57P01", "57P02", "57P03", "40001", "40P01"};
  const char* code = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return code != nullptr && std::find(kCodes.begin(), kCodes.end(), std::string_view(code)) != kCodes.end();
}

std::string complaint(const PGresult* result) {
  const char* message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  return message != nullptr ? message : one_line(PQresultErrorMessage(result));
}

}  // namespace

PostgresConnection::Connection PostgresConnection::connect(const std::string& url) {
  // Later entries win, so the URL ("dbname") goes before all that it shall not change. A network that swallows packets is noticed after
  // half a minute, and a commit is one to the disk.
  struct Entry {
    const char *name, *value;
  };
  const std::array<Entry, 7> entries{{{"connect_timeout", "10"},
                                      {"tcp_user_timeout", "30000"},
                                      {"fallback_application_name", "lathe"},
                                      {"options", "-c synchronous_commit=on -c client_min_messages=warning"},
                                      {"dbname", url.c_str()},
                                      {"client_encoding", "UTF8"},
                                      {nullptr, nullptr}}};
  std::array<const char*, entries.size()> names{}, values{};
  for (std::size_t i = 0; i < entries.size(); ++i) std::tie(names[i], values[i]) = std::tie(entries[i].name, entries[i].value);
  return {PQconnectdbParams(names.data(), values.data(), /*expand_dbname=*/1), PQfinish};
}

PostgresConnection::PostgresConnection(std::string url, std::chrono::duration<double> patience)
    : url_(std::move(url)), patience_(patience), connection_(connect(url_)) {
  if (PQstatus(connection_.get()) != CONNECTION_OK)
    throw UserError(Fault{.key = "study.url", .expected = "cannot be used: " + one_line(PQerrorMessage(connection_.get()))});
}

PostgresRows PostgresConnection::execute(const std::string& statement, const std::vector<std::string>& parameters) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point since = Clock::now();
  std::chrono::milliseconds pause = kFirstPause;
  for (;;) {
    if (std::optional<PostgresRows> rows = try_once(statement, parameters)) return std::move(*rows);
    reconnect(since, pause);
  }
}

void PostgresConnection::execute_all(const std::vector<std::string>& statements) {
  std::string all = "BEGIN;";
  for (const std::string& statement : statements) all += statement + ";";
  all += "COMMIT";
  const std::lock_guard lock(mutex_);
  const std::unique_ptr<PGresult, decltype(&PQclear)> result(PQexec(connection_.get(), all.c_str()), PQclear);
  if (PQresultStatus(result.get()) == PGRES_COMMAND_OK) return;
  const std::string message = complaint(result.get());
  PQclear(PQexec(connection_.get(), "ROLLBACK"));
  throw std::runtime_error("study: the database refused its tables: " + message);
}

std::optional<PostgresRows> PostgresConnection::try_once(const std::string& statement, const std::vector<std::string>& parameters) {
  std::vector<const char*> values;
  for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
  PGresult* result = PQexecParams(connection_.get(), statement.c_str(), static_cast<int>(values.size()), /*paramTypes=*/nullptr,
                                  values.data(), /*paramLengths=*/nullptr, /*paramFormats=*/nullptr, /*resultFormat=*/0);
  PostgresRows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
  if (PQstatus(connection_.get()) != CONNECTION_OK || is_passing(result)) return std::nullopt;
  throw std::runtime_error("study: the database complains: " + complaint(result) + "; what was stored before is safe");
}

void PostgresConnection::reconnect(Clock::time_point since, std::chrono::milliseconds& pause) {
  for (;;) {
    if (is_interrupted()) throw SearchStopped{};
    if (Clock::now() - since > patience_)
      throw std::runtime_error("study: the database has been away for " + std::to_string(static_cast<int>(patience_.count())) +
                               " s: " + one_line(PQerrorMessage(connection_.get())) + "; all finished trials are kept in run.db");
    std::this_thread::sleep_for(pause);
    pause = std::min(2 * pause, kLongestPause);
    connection_ = connect(url_);
    if (PQstatus(connection_.get()) == CONNECTION_OK) return;
  }
}

}  // namespace lathe::experiments
