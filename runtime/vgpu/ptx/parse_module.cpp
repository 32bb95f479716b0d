// The outer shape of a PTX file: directives, functions, parameter lists, blocks.
#include "runtime/vgpu/ptx/parse_state.h"
#include "runtime/vgpu/ptx/parser.h"

namespace tessera::vgpu::ptx {

bool Parser::fail(const std::string &what, uint32_t line) {
  if (failure.empty())
    failure = "line " + std::to_string(line ? line : peek().line) + ": " + what;
  return false;
}

bool Parser::expect(char c) {
  if (take(c))
    return true;
  return fail(std::string("expected '") + c + "' before '" + std::string(peek().text.substr(0, 40)) + "'");
}

std::string labelKey(std::string_view name, int32_t scope) {
  return scope <= 0 ? std::string(name) : std::string(name) + "@" + std::to_string(scope);
}

bool Parser::skipSection() {
  while (!peek().is('{') && peek().kind != Token::Kind::end)
    next();
  if (!expect('{'))
    return false;
  while (!peek().is('}') && peek().kind != Token::Kind::end)
    next();
  return expect('}');
}

// .file 1 "path" [, timestamp, size]
bool Parser::parseFile() {
  if (peek().kind != Token::Kind::integer)
    return fail("expected a file number");
  auto number = uint32_t(next().bits);
  if (peek().kind != Token::Kind::string)
    return fail("expected a file name");
  module.files[number] = std::string(next().text);
  while (take(','))
    next();
  return true;
}

// .maxntid, .reqntid, .minnctapersm, .maxnreg, cluster directives, .pragma: between a signature and its body.
bool Parser::parseTuning(Function &into) {
  while (peek().kind == Token::Kind::dotted) {
    std::string_view word = peek().text;
    if (word == "noreturn" || word == "explicitcluster" || word == "blocksareclusters") {
      next();
      continue;
    }
    if (word == "pragma") {
      next();
      while (!peek().is(';') && peek().kind != Token::Kind::end)
        next();
      if (!expect(';'))
        return false;
      continue;
    }
    uint32_t values[3] = {1, 1, 1};
    uint32_t *target = nullptr;
    if (word == "maxntid")
      target = into.maxThreads;
    else if (word == "reqntid")
      target = into.requiredThreads;
    else if (word == "reqnctapercluster")
      target = into.cluster;
    else if (word == "minnctapersm")
      target = &into.minBlocksPerSm;
    else if (word == "maxnreg")
      target = &into.maxRegisters;
    else if (word != "maxnctapersm" && word != "maxclusterrank" && word != "abi_preserve" &&
             word != "abi_preserve_control")
      return fail("unknown directive ." + std::string(word));
    next();
    size_t count = 0;
    do {
      if (peek().kind != Token::Kind::integer || count == 3)
        return fail("expected a number after ." + std::string(word));
      values[count++] = uint32_t(next().bits);
    } while (take(','));
    bool three = target == into.maxThreads || target == into.requiredThreads || target == into.cluster;
    for (size_t i = 0; target && i < (three ? 3u : 1u); ++i)
      target[i] = values[i];
  }
  return true;
}

bool Parser::parseParameters(std::vector<Variable> &into) {
  if (!expect('('))
    return false;
  while (!peek().is(')')) {
    Variable variable;
    variable.line = peek().line;
    if (takeDotted("param"))
      variable.space = Space::param;
    else if (takeDotted("reg"))
      variable.space = Space::reg;
    else
      return fail("expected .param or .reg in a parameter list");
    if (!parseVariableHead(variable))
      return false;
    into.push_back(std::move(variable));
    if (!take(','))
      break;
  }
  return expect(')');
}

// (results) _ (parameters) .noreturn ...
bool Parser::parsePrototype(Prototype &into) {
  into = {};
  if (peek().is('(') && !parseParameters(into.results))
    return false;
  if (peek().kind != Token::Kind::word)
    return fail("expected '_' in a .callprototype");
  next();
  if (peek().is('(') && !parseParameters(into.parameters))
    return false;
  Function ignored; // .noreturn and the like change nothing here
  return parseTuning(ignored) && expect(';');
}

bool Parser::parseFunction(bool entry, std::string linkage) {
  Function &made = module.functions.emplace_back();
  function = &made;
  made.entry = entry;
  made.linkage = std::move(linkage);
  made.line = peek().line;
  if (peek().is('(') && !parseParameters(made.results))
    return false;
  if (peek().kind != Token::Kind::word)
    return fail("expected a function name");
  made.name = std::string(next().text);
  if (peek().is('(') && !parseParameters(made.parameters))
    return false;
  if (!parseTuning(made))
    return false;
  if (take(';'))
    return made.declaration = true;
  scopes.clear();
  labelUses.clear();
  scope = -1;
  location = -1;
  return parseBody() && resolveLabels();
}

bool Parser::parseBody() {
  if (!expect('{'))
    return false;
  scopes.emplace_back();
  scope = 0;
  for (std::vector<Variable> *list : {&function->results, &function->parameters})
    for (const Variable &v : *list)
      if (v.space == Space::reg) {
        scopes[0].registers[v.name] = int32_t(function->registers.size());
        function->registers.push_back({v.name, v.type});
      }
  while (scope >= 0) {
    const Token &token = peek();
    if (token.kind == Token::Kind::end)
      return fail("the function " + function->name + " has no closing brace");
    if (take('{')) {
      if (scopes.size() > 100000)
        return fail("too many nested blocks");
      scopes.emplace_back().parent = scope;
      scope = int32_t(scopes.size()) - 1;
    } else if (take('}')) {
      scope = scopes[size_t(scope)].parent;
    } else if (take(';')) {
    } else if (token.kind == Token::Kind::dotted) {
      if (takeDotted("reg")) {
        if (!parseRegisters())
          return false;
      } else if (takeDotted("loc")) {
        Location where;
        uint32_t *fields[] = {&where.file, &where.line, &where.column};
        for (uint32_t *field : fields) {
          if (peek().kind != Token::Kind::integer)
            return fail("expected a number in .loc");
          *field = uint32_t(next().bits);
        }
        // ", function_name label [+ n], inlined_at file line column": the place of the call is not kept.
        while (take(',')) {
          next();
          while (peek().kind == Token::Kind::integer || peek().kind == Token::Kind::word || peek().is('+'))
            if (peek().line != tokens[at - 1].line && peek().kind == Token::Kind::word)
              break;
            else
              next();
        }
        location = int32_t(module.locations.size());
        module.locations.push_back(where);
      } else if (takeDotted("pragma")) {
        while (!peek().is(';') && peek().kind != Token::Kind::end)
          next();
      } else if (takeDotted("section")) {
        if (!skipSection())
          return false;
      } else if (auto space = spaceNamed(token.text);
                 space && (*space == Space::shared || *space == Space::local || *space == Space::param ||
                           *space == Space::global || *space == Space::constant)) {
        next();
        if (!parseVariables(*space, "", function->variables, true))
          return false;
      } else {
        return fail("unknown directive ." + std::string(token.text));
      }
    } else if (token.kind == Token::Kind::word && peek(1).is(':')) {
      std::string name(next().text);
      next();
      if ((peek().kind == Token::Kind::dotted) &&
          (peek().text == "branchtargets" || peek().text == "calltargets" || peek().text == "callprototype")) {
        if (next().text == "callprototype") {
          if (!parsePrototype(function->prototypes[name]))
            return false;
          continue;
        }
        std::vector<std::string> &targets = function->branchTargets[name];
        for (; !peek().is(';') && peek().kind != Token::Kind::end; next())
          if (peek().kind == Token::Kind::word)
            targets.push_back(std::string(peek().text));
        continue;
      }
      if (!function->labels.emplace(labelKey(name, scope), uint32_t(function->body.size())).second)
        return fail("the label " + name + " is declared twice");
    } else if (!parseInstruction()) {
      return false;
    }
  }
  return true;
}

bool Parser::resolveLabels() {
  for (const LabelUse &use : labelUses) {
    Instruction &instruction = function->body[use.instruction];
    Operand &operand = instruction.operands[use.operand];
    for (int32_t s = use.scope;; s = scopes[size_t(s)].parent) {
      auto found = function->labels.find(labelKey(operand.name, s));
      if (found != function->labels.end()) {
        operand.variable = int32_t(found->second);
        break;
      }
      if (s <= 0)
        return fail("there is no label " + std::string(operand.name), instruction.line);
    }
  }
  return true;
}

bool Parser::parseModule() {
  while (peek().kind != Token::Kind::end) {
    const Token &token = peek();
    if (take(';'))
      continue;
    if (token.kind != Token::Kind::dotted)
      return fail("expected a directive before '" + std::string(token.text.substr(0, 40)) + "'");
    std::string_view word = next().text;
    std::string linkage;
    while (word == "visible" || word == "extern" || word == "weak" || word == "common") {
      linkage = std::string(word);
      if (peek().kind != Token::Kind::dotted)
        return fail("expected a declaration after ." + linkage);
      word = next().text;
    }
    if (word == "version") {
      // "8.0" lexes as one real; the text has both numbers.
      std::string_view text = next().text;
      size_t dot = text.find('.');
      if (dot == text.npos || dot != 1 || text.size() < 3)
        return fail("cannot read the .version", token.line);
      module.versionMajor = uint32_t(text[0] - '0');
      module.versionMinor = uint32_t(text[2] - '0');
      if (module.versionMajor > 9 || (module.versionMajor == 9 && module.versionMinor > 0))
        return fail("PTX version " + std::string(text) + " is newer than 9.0", token.line);
    } else if (word == "target") {
      do {
        std::string name(next().text);
        if (name.starts_with("sm_") || name.starts_with("compute_"))
          module.target = name;
        else if (name != "debug" && name != "texmode_independent" && name != "texmode_unified" &&
                 name != "map_f64_to_f32")
          return fail("unknown target " + name, token.line);
      } while (take(','));
    } else if (word == "address_size") {
      module.addressBits = uint32_t(next().bits);
      if (module.addressBits != 64)
        return fail("only .address_size 64 is supported", token.line);
    } else if (word == "entry" || word == "func") {
      if (!module.versionMajor || module.target.empty())
        return fail("a module begins with .version and .target");
      if (!parseFunction(word == "entry", linkage))
        return false;
    } else if (word == "global" || word == "const" || word == "shared") {
      if (!parseVariables(*spaceNamed(word), linkage, module.variables, false))
        return false;
    } else if (word == "file") {
      if (!parseFile())
        return false;
    } else if (word == "section") {
      if (!skipSection())
        return false;
    } else if (word == "alias") { // .alias name, function;
      std::string name(next().text);
      if (!take(',') || peek().kind != Token::Kind::word)
        return fail("expected a function after .alias", token.line);
      module.aliases[name] = std::string(next().text);
    } else if (word == "pragma" || word == "loc") {
      while (!peek().is(';') && peek().kind != Token::Kind::end)
        next();
    } else {
      return fail("unknown directive ." + std::string(word), token.line);
    }
  }
  if (!module.versionMajor)
    return fail("there is no .version");
  if (module.target.empty())
    return fail("there is no .target");
  return true;
}

Result<Module> parse(std::string_view text) {
  Module module;
  if (text.size() > (256u << 20))
    return invalidArgument("line 1: PTX of more than 256 MiB");
  module.text = std::make_unique<std::string>(text);
  Parser parser{module, lex(*module.text)};
  if (!parser.parseModule())
    return invalidArgument(parser.failure);
  return module;
}

const Function *Module::function(std::string_view name) const {
  const Function *declared = nullptr;
  for (const Function &f : functions)
    if (f.name == name) {
      if (!f.declaration)
        return &f;
      declared = &f;
    }
  // Another name of a function that is here under its own (one step: an alias of an alias is none).
  if (auto alias = aliases.find(name); alias != aliases.end())
    for (const Function &f : functions)
      if (f.name == alias->second && !f.declaration)
        return &f;
  return declared;
}

bool Instruction::has(std::string_view modifier) const {
  for (std::string_view m : modifiers)
    if (m == modifier)
      return true;
  return false;
}

Space Instruction::space() const {
  for (std::string_view m : modifiers)
    if (auto space = spaceNamed(m))
      return *space;
  return Space::generic;
}

} // namespace tessera::vgpu::ptx
