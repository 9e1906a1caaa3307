// What the directories of all containers say at once.
#pragma once

#include <cstdint>
#include <vector>

#include "../sys/failure.h"

namespace jubako {

// When a directory last gained, lost or renamed an entry. All zero: there is none.
struct DirectoryStamp {
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  uint64_t inode = 0;
};

constexpr unsigned kSurveyName = 64;

struct SurveyEntry {
  char name[kSurveyName];
  DirectoryStamp record;
  DirectoryStamp run;
  bool locked = false;  // somebody holds the OFD write lock on `lock` in the run directory
};

// Every entry of `records` with a name of kSurveyName bytes, and the directory of the same name below `runs`.
bool survey(const char* records, const char* runs, std::vector<SurveyEntry>& entries, Failure& f);

}  // namespace jubako
