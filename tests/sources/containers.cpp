// Containers and owners of C++'s library, enumerations and members of classes, fields of bits: what `print` shows of each.

#include <array>
#include <atomic>
#include <deque>
#include <forward_list>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

namespace shop {
enum class Colour { Red, Green = 5, Blue };
enum class Mood { Blue = 9 };

struct Item {
    std::string name;
    int count;
};

class Counter {
  public:
    static int total;
    static const int LIMIT = 7;
    enum Mode { Off, On };
    enum class Level : char { Low = 1, High };
    int own = 3;
    Mode mode = On;
    Level level = Level::High;
    int get() const {
        return own;
    }
};
int Counter::total = 41;

struct Special : Counter {
    int more = 4;
};
}

struct Fields {
    unsigned kind : 3;
    int delta : 5;
    unsigned long wide : 40;
} fields = {1, -2, 77};

struct Wide {
    long double value;
    char tag;
};

int table[4] = {1, 2, 3, 4};
int next_to_it = 99;
int *volatile nowhere;

static void stop(int) {
}

int main() {
    std::map<std::string, int> ages{{"ada", 36}, {"bob", 7}, {"cyd", 52}};
    std::map<int, shop::Item> items{{1, {"nut", 3}}, {2, {"bolt", 4}}};
    std::map<char, Wide> wide{{'x', {1.5L, 'y'}}};
    std::map<int, int> many;
    for (int i = 0; i < 1000; i++)
        many[i * 7919 % 1000] = i;
    std::multimap<int, int> both{{1, 2}, {1, 3}};
    std::set<int> primes{2, 3, 5, 7, 11}, nothing;
    std::list<int> links{4, 5, 6}, no_links;
    std::forward_list<long double> chain{1.5L, 2.5L};
    std::deque<int> ends(300, 1);
    ends.push_front(9);
    std::vector<bool> flags{true, false, true, true};
    std::vector<int> numbers{1, 2, 3};
    std::vector<std::string> words{"a", "bb"};
    std::unordered_map<std::string, int> hashed{{"k", 1}};
    std::unique_ptr<shop::Item> only(new shop::Item{"one", 1});
    std::unique_ptr<int> no_one;
    std::unique_ptr<int[]> row(new int[3]{7, 8, 9});
    std::shared_ptr<int> shared = std::make_shared<int>(17), again = shared;
    std::weak_ptr<int> weak = shared, late;
    {
        auto gone = std::make_shared<int>(1);
        late = gone;
    }
    std::optional<int> some = 12, none;
    std::optional<shop::Item> maybe = shop::Item{"x", 2};
    std::pair<int, char> pair{3, 'c'};
    std::tuple<int, std::string, double> triple{1, "two", 3.5};
    std::array<int, 3> fixed{1, 2, 3};
    std::variant<int, std::string> either = std::string("v");
    std::string_view view = "a view";
    std::string text = "some text";
    std::atomic<int> count{5};
    auto at = items.begin();
    auto number = numbers.begin() + 1;
    auto link = links.begin();
    shop::Counter counter;
    shop::Special special;
    shop::Colour colour = shop::Colour::Blue;
    shop::Mood mood = shop::Mood::Blue;
    long double third = 1.0L / 3;
    double half = 0.5;
    fields.kind = 2;
    fields.delta = 5;
    stop(counter.get() + special.more + (int)colour + (int)mood + (int)(third + half) + pair.first);
    return at->first + *number + *link + fixed[0] + (int)view.size() + (int)text.size() + count - 30;
}
