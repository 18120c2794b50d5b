// The standard multi-objective test functions as plain functions of real variables: what search/standard_problems.h makes problems of.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lathe::search {

struct TestFunction {
  std::string name;
  std::vector<double> lower, upper;                                           // bounds of each variable
  std::vector<double> reference_point;                                        // of the hypervolume; as many objectives, all to be minimized
  int constraints = 0;                                                        // each to be at most 0
  std::function<std::vector<double>(const std::vector<double>& x)> evaluate;  // the objectives, then the constraints

  int objectives() const { return static_cast<int>(reference_point.size()); }
};

// E. Zitzler, K. Deb, L. Thiele, Comparison of Multiobjective Evolutionary Algorithms: Empirical Results, Evolutionary Computation 8(2),
// 2000: T1 to T4 and T6 (variant 1, 2, 3, 4, 6). Reference point (11, 11), as BoTorch has it. dims >= 1.
TestFunction zdt_function(int variant, int dims);

// K. Deb, L. Thiele, M. Laumanns, E. Zitzler, Scalable Test Problems for Evolutionary Multiobjective Optimization, 2005: DTLZ1 to DTLZ7.
// Reference points as BoTorch has them: 400 for DTLZ1, 10000 for DTLZ3, 15 for DTLZ7, 1.1 else. dims >= objectives >= 2.
TestFunction dtlz_function(int variant, int dims, int objectives);

// S. Huband, P. Hingston, L. Barone, L. While, A Review of Multiobjective Test Problems and a Scalable Test Problem Toolkit, IEEE TEC
// 10(5), 2006: WFG1 to WFG9 with the position parameters of their experiments (k = 4 for two objectives, 2 (objectives - 1) for more), z_i
// in [0, 2 i]. Reference point 2 m + 1 for objective m. dims > k; for WFG2 and WFG3 dims - k must be even.
TestFunction wfg_function(int variant, int dims, int objectives);

// Problems of engineering with constraints, as pymoo 0.6 has them; dimensions are theirs.
//   bnh          T. T. Binh, U. Korn, MOBES: a multiobjective evolution strategy for constrained optimization problems, 1997
//   osy          A. Osyczka, S. Kundu, A new method to solve generalized multicriteria optimization problems, Structural Optimization 10,
//   1995 tnk          M. Tanaka et al., GA-based decision support system for multicriteria optimization, 1995 welded_beam  K. Deb, J.
//   Sundar, U. B. Rao, S. Chaudhuri, Reference point based multi-objective optimization, 2006 truss2d      K. Deb, A. Pratap, S. Moitra,
//   Mechanical component design for multiple objectives using elitist NSGA, PPSN 2000 disc_brake   T. Ray, K. M. Liew, A swarm metaphor for
//   multiobjective design optimization, Engineering Optimization 34, 2002 carside      H. Jain, K. Deb, An evolutionary many-objective
//   optimization algorithm (NSGA-III), part II, IEEE TEC 18(4), 2014
// Nothing for other names.
std::optional<TestFunction> engineering_function(const std::string& name);
const std::vector<std::string>& engineering_function_names();

}  // namespace lathe::search
